"""The data that a revision would drop, found before it runs: in its SQL and in the tables."""

import io
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from alembic.migration import MigrationContext
from alembic.operations import Operations
from sqlalchemy import Connection

from surefoot.quoting import literal

# Up to this many rows are counted; beyond it the statistics are good enough and free.
COUNTED_ROWS = 100_000
_FLAGS = re.IGNORECASE
_NAME = r'(?:"(?:[^"]|"")+"|[A-Za-z_][\w$]*)(?:\.(?:"(?:[^"]|"")+"|[A-Za-z_][\w$]*))?'
_DROP_TABLE = re.compile(
    rf"\bDROP\s+TABLE\s+(?:IF\s+EXISTS\s+)?({_NAME}(?:\s*,\s*{_NAME})*)", re.IGNORECASE
)
_TRUNCATE = re.compile(
    rf"\bTRUNCATE\s+(?:TABLE\s+)?(?:ONLY\s+)?({_NAME}(?:\s*,\s*{_NAME})*)", re.IGNORECASE
)
_ALTER = re.compile(
    rf"\bALTER\s+TABLE\s+(?:IF\s+EXISTS\s+)?(?:ONLY\s+)?({_NAME})\s+([^;]*)", re.IGNORECASE
)
_DROP_COLUMN = re.compile(
    rf"\bDROP\s+(?:COLUMN\s+)?(?:IF\s+EXISTS\s+)?"
    rf"(?!CONSTRAINT\b|DEFAULT\b|NOT\b|EXPRESSION\b|IDENTITY\b|COLUMN\b|IF\b)({_NAME})",
    _FLAGS,
)
_ALTER_COLUMN = re.compile(
    rf"\bALTER\s+(?:COLUMN\s+)?{_NAME}\s+DROP\s+\w+(?:\s+NULL)?", re.IGNORECASE
)


@dataclass(frozen=True)
class Loss:
    """A table or a column with data in it that would be dropped."""

    table: str
    column: str | None
    rows: int
    estimated: bool

    def __str__(self) -> str:
        noun = "row" if self.rows == 1 else "rows"
        name = f"column {self.table}.{self.column}" if self.column else f"table {self.table}"
        return f"{name} ({'~' if self.estimated else ''}{self.rows} {noun})"


def losses(connection: Connection, functions: Iterable[Callable[[], object]]) -> list[Loss]:
    """The tables and columns with data in them that some functions of revisions would drop."""
    found = []
    for table, column in dict.fromkeys(drop for f in functions for drop in drops(sql_of(f))):
        loss = _measure(connection, table, column)
        if loss is not None:
            found.append(loss)
    return found


def sql_of(function: Callable[[], object]) -> str:
    """The SQL of a revision's function, without a database."""
    buffer = io.StringIO()
    context = MigrationContext.configure(
        url="postgresql+asyncpg://",
        opts={"as_sql": True, "output_buffer": buffer, "literal_binds": True},
    )
    with Operations.context(context):
        function()
    return buffer.getvalue()


def drops(sql: str) -> list[tuple[str, str | None]]:
    """The tables, and the columns with their tables, that some SQL drops or empties."""
    found: list[tuple[str, str | None]] = []
    for match in (*_DROP_TABLE.finditer(sql), *_TRUNCATE.finditer(sql)):
        found.extend((name.strip(), None) for name in match[1].split(","))
    for match in _ALTER.finditer(sql):
        actions = _ALTER_COLUMN.sub("", match[2])
        found.extend((match[1], dropped[1]) for dropped in _DROP_COLUMN.finditer(actions))
    return found


def _measure(connection: Connection, table: str, column: str | None) -> Loss | None:
    quoted = literal(table)
    row = connection.exec_driver_sql(
        f"SELECT reltuples FROM pg_class WHERE oid = to_regclass({quoted}) "  # noqa: S608 - quoted above
        "AND relkind IN ('r', 'p')"
    ).first()
    if row is None:
        return None  # one of these revisions creates it
    estimate = int(row[0])
    if estimate > COUNTED_ROWS:
        return Loss(table, column, estimate, estimated=True)
    if column is not None and not _has_column(connection, quoted, column):
        return None
    counted = f"count({column})" if column else "count(*)"
    rows = int(connection.exec_driver_sql(f"SELECT {counted} FROM {table}").scalar() or 0)  # noqa: S608 - names out of SQL that would run
    return Loss(table, column, rows, estimated=False) if rows else None


def _has_column(connection: Connection, quoted_table: str, column: str) -> bool:
    name = column[1:-1].replace('""', '"') if column.startswith('"') else column.lower()
    found = connection.exec_driver_sql(
        f"SELECT count(*) FROM pg_attribute WHERE attrelid = to_regclass({quoted_table}) "  # noqa: S608 - quoted
        f"AND attname = {literal(name)} AND NOT attisdropped"
    )
    return bool(found.scalar())


def destructive(functions: Sequence[Callable[[], object]]) -> bool:
    """Whether some functions of revisions drop a table or a column, with data in it or not."""
    return any(drops(sql_of(function)) for function in functions)
