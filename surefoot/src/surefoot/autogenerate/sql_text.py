"""Changes as SQL: each call is evaluated as a revision would, and Alembic writes its statements."""

import io
from collections.abc import Iterable
from typing import Any

import sqlalchemy
from alembic.migration import MigrationContext
from alembic.operations import MigrateOperation, Operations
from sqlalchemy.dialects import postgresql

from surefoot.autogenerate.rendering import Call, Statement
from surefoot.operations import concurrently, constraints, enums

# These register the operations that `Call` names.
__all__ = ["as_sql", "concurrently", "constraints", "enums"]


class _Statements(io.StringIO):
    """Keeps what Alembic writes, statement by statement."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def write(self, text: str) -> int:
        statement = text.strip().removesuffix(";")
        # Alembic writes these around a step outside of a transaction.
        if statement not in ("BEGIN", "COMMIT"):
            self.found.append(statement)
        return len(text)


def as_sql(operations: Iterable[MigrateOperation]) -> tuple[str, ...]:
    """The statements of the operations, in order."""
    written = _Statements()
    # With the parameters of asyncpg: those of psycopg2 would double every percent sign.
    dialect = postgresql.dialect(paramstyle="numeric_dollar")  # type: ignore[no-untyped-call]
    options = {"as_sql": True, "output_buffer": written}
    op: Any = Operations(MigrationContext.configure(dialect=dialect, opts=options))
    known = {"op": op, "sa": sqlalchemy, "postgresql": postgresql}
    for each in operations:
        if isinstance(each, Statement):
            written.found.append(each.statement)
        elif isinstance(each, Call):
            eval(each.spelled(), known)  # noqa: S307 - code of our own, with values as literals
    return tuple(written.found)
