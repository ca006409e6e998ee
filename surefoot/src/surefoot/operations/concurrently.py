"""Operations that PostgreSQL runs only outside a transaction.

    op.create_index_concurrently("ix_jobs_priority", "jobs", ["priority"])
    op.drop_index_concurrently("ix_jobs_rank")
    op.reindex_concurrently("ix_jobs_priority")
    op.detach_partition_concurrently("events", "events_2020")

Each is safe to repeat: it first repairs what an earlier attempt left, and changes nothing that is
done already. A revision holds one such operation and nothing else.
"""

import re
from collections.abc import Sequence
from functools import partial
from typing import Any

import sqlalchemy as sa
from alembic.operations import MigrateOperation, Operations
from alembic.operations.schemaobj import SchemaObjects
from sqlalchemy import Connection
from sqlalchemy.dialects.postgresql import asyncpg
from sqlalchemy.exc import DBAPIError
from sqlalchemy.schema import CreateIndex

from surefoot.connect.failures import sqlstate
from surefoot.errors import DuplicateRows, IndexDiffers
from surefoot.operations.index_lookups import duplicates, find_index, is_partitioned
from surefoot.operations.lock_class import LockClass
from surefoot.operations.partitions import build_parts
from surefoot.operations.sent import drop_index, send
from surefoot.operations.statement import operation
from surefoot.quoting import literal, quoted

# A revision may hold one of these and nothing else.
NAMES = (
    "create_index_concurrently",
    "drop_index_concurrently",
    "reindex_concurrently",
    "detach_partition_concurrently",
)
UNIQUE_VIOLATION = "23505"
# The asyncpg dialect leaves a percent sign in a predicate as it is.
_DIALECT = asyncpg.dialect()  # type: ignore[no-untyped-call]  # SQLAlchemy leaves it untyped
_QUALIFIED = """
SELECT quote_ident(nspname) || '.' || quote_ident(relname)
FROM pg_class JOIN pg_namespace n ON n.oid = relnamespace WHERE pg_class.oid = to_regclass({name})
"""
# The names that REINDEX gives to its new and old index; a long name is cut.
_LEFTOVERS = """
SELECT c.oid::regclass::text FROM pg_index r JOIN pg_class of ON of.oid = r.indexrelid
JOIN pg_index i ON i.indrelid = r.indrelid AND NOT i.indisvalid
JOIN pg_class c ON c.oid = i.indexrelid
CROSS JOIN regexp_replace(c.relname, '_cc(new|old)[0-9]*$', '') AS stem
WHERE r.indexrelid = to_regclass({name}) AND stem <> c.relname
  AND (stem = of.relname OR (octet_length(c.relname) = 63 AND starts_with(of.relname, stem)))
"""
_ON_COPY = re.compile(r" ON pg_temp\w*\.alembic_copy ")


class OutsideTransaction(MigrateOperation):
    """An operation that `Migration.outside_transaction` runs, with retries and a ledger row."""

    # Readers and writers do not queue behind it, unless a subclass says otherwise.
    lock_class: LockClass = "patient"

    def sql(self) -> str:
        """The statement that `--sql` writes."""
        raise NotImplementedError

    def done(self) -> str:
        """SQL that is true once it is done, for a script that cannot look; at least not false."""
        return "true"

    def refuse(self, connection: Connection) -> None:
        """Look before anything is changed. On failure: an error of the operation."""

    def run(self, connection: Connection) -> None:
        """Do it, or the rest of it, on a connection in autocommit."""
        send(connection, self.sql())


@Operations.register_operation("create_index_concurrently")
class CreateIndexConcurrently(OutsideTransaction):
    """An index that is built without blocking readers or writers, also on partitions."""

    def __init__(self, index: sa.Index) -> None:
        if index.table is None:
            raise ValueError("an index is on a table")
        self.index = index
        self.table = _DIALECT.identifier_preparer.format_table(index.table)
        self.name = qualified(str(index.name), index.table.schema)

    @classmethod
    def create_index_concurrently(
        cls,
        operations: Operations,
        index_name: str,
        table_name: str,
        columns: Sequence[str | sa.TextClause | sa.ColumnElement[Any]],
        **options: Any,
    ) -> None:
        """Build an index; `options` are those of `op.create_index` (`unique`, `schema`, and so on).

        On failure: IndexDiffers, where a valid index has that name and another definition;
        DuplicateRows, where a unique index meets duplicates. Neither leaves an invalid index.
        """
        make = SchemaObjects(operations.migration_context).index
        made = make(index_name, table_name, list(columns), **options)
        for name in options.get("postgresql_include") or ():
            if made.table is not None and name not in made.table.c:
                made.table.append_column(sa.Column(name, sa.types.NullType))
        operations.invoke(cls(made))

    def sql(self) -> str:
        return self._create(concurrently=True)

    def done(self) -> str:
        index = f"indexrelid = to_regclass({literal(self.name)})"
        return f"EXISTS (SELECT FROM pg_index WHERE {index} AND indisvalid)"

    def refuse(self, connection: Connection) -> None:
        valid, definition = find_index(connection, self.name) or (False, "")
        stays = valid or (definition and is_partitioned(connection, self.table))
        if stays and definition != (wanted := self._definition(connection)):
            raise IndexDiffers(str(self.index.name), definition, wanted)

    def run(self, connection: Connection) -> None:
        self.refuse(connection)
        build, name = partial(self._build, connection), str(self.index.name)
        schema = self.name.removesuffix(quoted(name))
        if not is_partitioned(connection, self.table):
            build(schema, quoted(name), self.table)
            return
        for is_last in (False, True):
            build(schema, quoted(name), f"ONLY {self.table}")
            try:
                build_parts(connection, self.table, self.name, name, build)
            except DuplicateRows:
                drop_index(connection, self.name)
                raise
            if (find_index(connection, self.name) or (False,))[0]:
                return
            # PostgreSQL keeps it so: nothing is left to attach to it.
            if not is_last:
                drop_index(connection, self.name)
        raise RuntimeError(f"{name} is not valid: the index of a partition is not")

    def _build(self, connection: Connection, schema: str, name: str, table: str) -> bool:
        """Build the index, or that of a partition; of a partitioned table one that is empty.

        Whether there was none that can be used.
        """
        whole, is_empty = f"{schema}{name}", table.startswith("ONLY ")
        valid, definition = find_index(connection, whole) or (False, None)
        if valid or (is_empty and definition is not None):
            return False
        if definition is not None:
            drop_index(connection, whole)
        statement = self._create(concurrently=not is_empty)
        own = f" {quoted(str(self.index.name))} ON {self.table} "
        try:
            send(connection, statement.replace(own, f" {name} ON {table} ", 1))
        except DBAPIError as error:
            if sqlstate(error) != UNIQUE_VIOLATION:
                raise
            count = duplicates(connection, whole)
            drop_index(connection, whole)
            raise DuplicateRows(str(self.index.name), count) from error
        return True

    def _create(self, *, concurrently: bool) -> str:
        self.index.dialect_options["postgresql"]["concurrently"] = concurrently
        return str(CreateIndex(self.index).compile(dialect=_DIALECT))

    def _definition(self, connection: Connection) -> str:
        """The definition that the server gives to the index on an empty copy of the table."""
        # A run that was asked to stop sends no DROP; the copy lives as long as its session.
        connection.exec_driver_sql("DROP TABLE IF EXISTS pg_temp.alembic_copy")
        connection.exec_driver_sql(
            f"CREATE TEMPORARY TABLE alembic_copy (LIKE {self.table} INCLUDING GENERATED)"
        )
        try:
            statement = self._create(concurrently=False)
            connection.exec_driver_sql(
                statement.replace(f" ON {self.table}", " ON pg_temp.alembic_copy", 1)
            )
            name = f"pg_temp.{quoted(str(self.index.name))}"
            found = find_index(connection, name)
            table = connection.exec_driver_sql(_QUALIFIED.format(name=literal(self.table)))
            definition = found[1] if found else statement
            on = f" ON {table.scalar()} "
            return _ON_COPY.sub(lambda _: on, definition, count=1)
        finally:
            if not connection.invalidated:
                connection.exec_driver_sql("DROP TABLE pg_temp.alembic_copy")


class _OnIndex(OutsideTransaction):
    """A step on an index by its name. A table may be named as in `op.drop_index`, to no effect."""

    def __init__(
        self, index_name: str, table_name: str | None = None, *, schema: str | None = None
    ) -> None:
        self.name = qualified(index_name, schema)


@operation("drop_index_concurrently")
class DropIndexConcurrently(_OnIndex):
    """Drop an index without blocking readers or writers; a missing one is no error.

    That of a partitioned table PostgreSQL drops under a lock only, which is short.
    """

    def sql(self) -> str:
        return f"DROP INDEX CONCURRENTLY IF EXISTS {self.name}"

    def run(self, connection: Connection) -> None:
        drop_index(connection, self.name)

    def done(self) -> str:
        return f"to_regclass({literal(self.name)}) IS NULL"


@operation("reindex_concurrently")
class ReindexConcurrently(_OnIndex):
    """Rebuild an index without blocking readers or writers.

    The leftovers of an interrupted rebuild are dropped.
    """

    def sql(self) -> str:
        return f"REINDEX INDEX CONCURRENTLY {self.name}"

    def run(self, connection: Connection) -> None:
        leftovers = connection.exec_driver_sql(_LEFTOVERS.format(name=literal(self.name)))
        for leftover in leftovers.scalars().all():
            drop_index(connection, leftover)
        super().run(connection)


@operation("detach_partition_concurrently")
class DetachPartitionConcurrently(OutsideTransaction):
    """Detach a partition without blocking readers or writers of the table.

    An interrupted detachment is finished.
    """

    # Its second half waits for old snapshots with the partition locked against its readers.
    lock_class: LockClass = "short"

    def __init__(self, table_name: str, partition_name: str, *, schema: str | None = None) -> None:
        self.table = qualified(table_name, schema)
        self.partition = qualified(partition_name, schema)

    def sql(self) -> str:
        return f"ALTER TABLE {self.table} DETACH PARTITION {self.partition} CONCURRENTLY"

    def done(self) -> str:
        return f"{self._are_there()} AND NOT EXISTS (SELECT {self._attached()})"

    def run(self, connection: Connection) -> None:
        are_there, pending = connection.exec_driver_sql(
            f"SELECT {self._are_there()}, (SELECT inhdetachpending {self._attached()})"
        ).one()
        if are_there and pending is None:
            return  # detached already
        end = "FINALIZE" if pending else "CONCURRENTLY"
        send(connection, f"{self.sql().removesuffix('CONCURRENTLY')}{end}")

    def _are_there(self) -> str:
        return f"num_nulls({self._both()}) = 0"

    def _attached(self) -> str:
        return f"FROM pg_inherits WHERE (inhrelid, inhparent) = ({self._both()})"

    def _both(self) -> str:
        return f"to_regclass({literal(self.partition)}), to_regclass({literal(self.table)})"


@Operations.implementation_for(OutsideTransaction)
def _run(operations: Operations, step: OutsideTransaction) -> None:
    """Run the operation outside a transaction, by the Migration where there is one."""
    ctx = operations.migration_context
    migration = ctx.opts.get("migration")
    if migration is not None:
        migration.outside_transaction(ctx, step)
        return
    with ctx.autocommit_block():
        if ctx.as_sql:
            ctx.impl.static_output(step.sql() + ";")
        elif ctx.connection is None:
            raise RuntimeError("there is no connection")
        else:
            step.run(ctx.connection)


def qualified(name: str, schema: str | None) -> str:
    """A name as SQL writes it, with its schema where there is one."""
    return f"{quoted(schema)}.{quoted(name)}" if schema else quoted(name)
