"""Changes as SQL: Alembic writes its operations, and each statement is run by itself."""

import io
from collections.abc import Iterable
from typing import Any

from alembic.migration import MigrationContext
from alembic.operations import MigrateOperation, Operations
from sqlalchemy.dialects import postgresql

from surefoot.autogenerate.rendering import BuildIndex, Call, Note, NotValid, Statement
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
    run: Any = Operations(MigrationContext.configure(dialect=dialect, opts=options))
    for each in operations:
        match each:
            case Note():
                pass
            case Statement():
                written.found.append(each.statement)
            case Call():
                getattr(run, each.name)(*each.arguments, **each.options)
            case BuildIndex():
                index = each.plain
                on = index.index_name, index.table_name, index.columns
                run.create_index_concurrently(*on, unique=index.unique, **index.kw)
            case NotValid():
                each.plain.kw["postgresql_not_valid"] = True
                run.invoke(each.plain)
            case _:
                run.invoke(each)
    return tuple(written.found)
