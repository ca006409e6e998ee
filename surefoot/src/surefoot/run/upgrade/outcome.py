"""outcome() asks the server what became of a transaction."""

import asyncio
from typing import Any, Literal

from sqlalchemy import Connection, Engine

from surefoot.compat.sqlalchemy import await_only, greenlet_spawn
from surefoot.connect.any_failure import DATABASE_ERRORS
from surefoot.ledger.table import NOTHING
from surefoot.quoting import literal
from surefoot.run.question import ask, is_gone

Outcome = Literal["committed", "aborted", "unknown"]
# The part of a revision that is kept, in words for an error.
EVERYTHING = "all of it: its commit was done when the connection was lost"
# A run that is told to end does not wait for another connection on a dead network.
_IN_TIME_S = 1.0
_STATUS = "SELECT pg_xact_status({}::xid8)"
_PREPARED = """
SELECT gid FROM pg_catalog.pg_prepared_xacts
WHERE transaction = {}::xid8::xid AND database = current_database()
"""


def outcome(
    connection: Connection,
    identity: str,
    *,
    lost: bool,
    in_time: bool,
) -> Outcome:
    """The outcome of the transaction with that id; one that was prepared is rolled back.

    A connection that was lost, or has ended, is replaced by another one, which has a second to
    answer where the run is to end `in_time`.
    """
    number = literal(identity)
    try:
        if lost or is_gone(connection):
            query = _STATUS.format(number)
            another = greenlet_spawn(_asked_on_another, connection.engine, query)
            status = await_only(asyncio.wait_for(another, _IN_TIME_S if in_time else None))
        else:
            status = ask(connection, _STATUS.format(number))
            query = _PREPARED.format(number)
            prepared = ask(connection, query) if status == "in progress" else None
            connection.rollback()
            if prepared is not None:
                driver: Any = connection.connection.driver_connection
                await_only(driver.execute(f"ROLLBACK PREPARED {literal(prepared)}"))
                return "aborted"
    except DATABASE_ERRORS:
        return "unknown"
    known: dict[str | None, Outcome] = {"committed": "committed", "aborted": "aborted"}
    return known.get(status, "unknown")


def in_words(ended: Outcome, is_complete: bool, is_left: bool) -> str:
    """The part of a revision that is kept, by what became of its transaction.

    `is_complete`: its rows were written. `is_left`: it had left the transaction.
    """
    if ended == "committed":
        return EVERYTHING if is_complete else "what it did before it committed by itself"
    if ended == "aborted":
        return "not known: it ended its transaction by itself" if is_left else NOTHING
    return "all or nothing: its commit was under way" if is_complete else "not known"


def _asked_on_another(engine: Engine, query: str) -> str | None:
    with engine.connect() as connection:
        found = connection.exec_driver_sql(query).scalar()
        return None if found is None else str(found)
