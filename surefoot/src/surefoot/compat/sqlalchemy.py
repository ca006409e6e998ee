"""Private names of SQLAlchemy that the library uses. Checked with SQLAlchemy 2.0.55 to 2.1.

await_only, in_greenlet,  Alembic is synchronous, asyncpg is not. A revision runs in a greenlet of
greenlet_spawn            `greenlet_spawn` and waits from there without blocking the loop. The
                          public `AdaptedConnection.run_async` needs a connection; a timer or a
                          backup command has none. `AsyncEngine` and `run_sync` do the same, and
                          import the whole ORM. SQLAlchemy 2.1 calls the first `await_` and keeps
                          the old name until 2.2.
AsyncAdapt_asyncpg_cursor._handle_exception
                          It gives an error of asyncpg the class that SQLAlchemy wraps.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import asyncpg
from sqlalchemy.util.concurrency import await_only, greenlet_spawn, in_greenlet

__all__ = ["await_only", "greenlet_spawn", "in_greenlet", "raise_as"]


@contextmanager
def raise_as(cursor: Any) -> Iterator[None]:
    """Raise an error of asyncpg in the block as one of a statement of the cursor."""
    try:
        yield
    except (
        asyncpg.PostgresError,
        asyncpg.InterfaceError,
        asyncpg.InternalClientError,
        OSError,
    ) as error:
        cursor._handle_exception(error)
