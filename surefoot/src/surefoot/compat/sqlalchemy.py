"""Private names of SQLAlchemy that the library uses. Checked with SQLAlchemy 2.0.40 to 2.1.

await_only, in_greenlet   Alembic is synchronous, asyncpg is not. A revision runs in a greenlet of
                          `run_sync` and waits from there without blocking the loop. The public
                          `AdaptedConnection.run_async` needs a connection; a timer or a backup
                          command has none. SQLAlchemy 2.1 calls it `await_` and keeps the old name
                          until 2.2.
Column._copy              A plan changes copies of columns, never those of the models. The public
                          `to_metadata()` copies whole tables only.
"""

from typing import Any

from sqlalchemy import Column
from sqlalchemy.util.concurrency import await_only, in_greenlet

__all__ = ["await_only", "copy_column", "in_greenlet"]


def copy_column(column: Column[Any]) -> Column[Any]:
    """A copy of the column that belongs to no table."""
    return column._copy()
