"""timed_out() says whether statement_timeout has ended a statement, and not somebody.

Both have the same SQLSTATE, and the words are in the language of the server.
"""

from contextlib import suppress
from typing import Any

import asyncpg
from sqlalchemy import Connection

from surefoot.compat.sqlalchemy import await_only
from surefoot.connect.any_failure import DATABASE_ERRORS
from surefoot.connect.failures import describe

_TAKES_TOO_LONG = "BEGIN; SET LOCAL statement_timeout = 1; SELECT pg_sleep(1)"


def timed_out(connection: Connection, error: Exception) -> bool:
    """Let the server end a statement by statement_timeout, and compare its words with the error's.

    The transaction that the error has ended is rolled back.
    """
    driver: Any = connection.connection.driver_connection
    with suppress(*DATABASE_ERRORS):
        connection.rollback()
        try:
            await_only(driver.execute(_TAKES_TOO_LONG))
        except asyncpg.QueryCanceledError as known:
            return describe(known) == describe(error)
        finally:
            await_only(driver.execute("ROLLBACK"))
    return False
