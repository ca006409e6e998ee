"""Chains of revisions by chance: what people do to a schema, with rows in its tables.

    build(chain, random.Random(7)) -> Steps; the same number gives the same files

A Schema is the model that the generator keeps beside the revisions that it writes, so that each
operation fits what is there, and its downgrade finds what it reverts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import NamedTuple

from harness.runs import Chain

SHORTEST, LONGEST = 5, 9
ROWS = (0, 5, 100, 2_000)
# The types of a column, and the value that an insert writes into it.
TYPES = {
    "sa.Integer": "i % 5",
    "sa.BigInteger": "i",
    "sa.Text": "'word ' || i % 9",
    "sa.Boolean": "i % 2 = 0",
    "sa.Numeric(10, 2)": "i / 4.0",
    "sa.Date": "DATE '2020-01-01' + i % 99",
    "postgresql.JSONB": "'{}'::jsonb",
}
DEFAULTS = {"sa.Integer": "7", "sa.BigInteger": "0", "sa.Text": "new", "sa.Boolean": "false"}


class Body(NamedTuple):
    """The code of one operation in a revision, both ways."""

    up: str
    down: str


class Outside(NamedTuple):
    """A step that takes a revision to itself; the names of what a crash leaves begin like `leaves`.

    That is a regular expression.
    """

    up: str
    down: str
    leaves: str
    down_outside: bool
    table: str
    # Whether a script of `--sql` can do it.
    in_scripts: bool = True


@dataclass
class Column:
    """A column that was added, and what type it has."""

    name: str
    kind: str
    used: bool = False


@dataclass
class Table:
    """A table that has `id`, `n` and `note` from the start."""

    name: str
    columns: list[Column] = field(default_factory=list)
    next_id: int = 1
    used: bool = False
    partitioned: bool = False
    trigger: bool = False


@dataclass
class Index:
    """An index, and the arguments that it was made with."""

    name: str
    table: Table
    columns: tuple[str, ...]
    options: str

    def arguments(self) -> str:
        """The arguments of `op.create_index` and of its concurrent form."""
        return f'"{self.name}", "{self.table.name}", {list(self.columns)}{self.options}'


@dataclass
class Enum:
    """An enum and the columns of its type."""

    name: str
    values: list[str]
    columns: list[tuple[Table, Column]] = field(default_factory=list)


@dataclass(frozen=True)
class Step:
    """One revision as the checks know it."""

    id: str
    # Tables that are there after it.
    tables: tuple[str, ...]
    up_outside: bool = False
    down_outside: bool = False
    leaves: str = ""
    # The table that a step outside a transaction is about.
    table: str = ""
    in_scripts: bool = True

    def is_outside(self, *, down: bool) -> bool:
        """Whether it takes effect outside a transaction in this direction."""
        return self.down_outside if down else self.up_outside


class Schema:
    """The schema after the revisions so far."""

    def __init__(self, rng: Random) -> None:
        self.rng = rng
        self.tables: list[Table] = []
        self.indexes: list[Index] = []
        self.enums: list[Enum] = []
        self.not_valid: list[tuple[Table, str]] = []
        self.partitions: list[tuple[Table, str, int]] = []
        self._number = 0

    def name(self, prefix: str) -> str:
        """A name that nothing had before."""
        self._number += 1
        return f"{prefix}{self._number}"

    def table(self) -> Table:
        """An ordinary one."""
        return self.rng.choice([table for table in self.tables if not table.partitioned])

    # -- tables ----------------------------------------------------------------------------------

    def create_table(self) -> Body:
        table = Table(self.name("t"))
        self.tables.append(table)
        up = _create(table.name)
        rows = self.rng.choice(ROWS)
        if rows:
            up += "\n" + self._insert(table, rows)
        return Body(up, f'op.drop_table("{table.name}")')

    def drop_table(self) -> Body | None:
        ordinary = [table for table in self.tables if not table.partitioned]
        plain = [table for table in ordinary if not table.used and not table.columns]
        if not plain or len(ordinary) < 3:
            return None
        table = self.rng.choice(plain)
        self.tables.remove(table)
        return Body(f'op.drop_table("{table.name}")', _create(table.name))

    def rename_table(self) -> Body | None:
        table = self.table()
        former, table.name = table.name, self.name("t")
        return Body(
            f'op.rename_table("{former}", "{table.name}")',
            f'op.rename_table("{table.name}", "{former}")',
        )

    # -- columns ---------------------------------------------------------------------------------

    def add_column(self) -> Body:
        table = self.table()
        kind = self.rng.choice(list(TYPES))
        column = Column(self.name("c"), kind)
        table.columns.append(column)
        options = ""
        if kind in DEFAULTS and self.rng.random() < 0.5:
            options = f', server_default="{DEFAULTS[kind]}", nullable=False'
        return Body(
            f'op.add_column("{table.name}", sa.Column("{column.name}", {kind}{options}))',
            f'op.drop_column("{table.name}", "{column.name}")',
        )

    def drop_column(self) -> Body | None:
        found = self._free_column()
        if found is None:
            return None
        table, column = found
        table.columns.remove(column)
        return Body(
            f'op.drop_column("{table.name}", "{column.name}")',
            f'op.add_column("{table.name}", sa.Column("{column.name}", {column.kind}))',
        )

    def rename_column(self) -> Body | None:
        found = self._free_column()
        if found is None:
            return None
        table, column = found
        former, column.name = column.name, self.name("c")
        rename = 'op.alter_column("{}", "{}", new_column_name="{}")'
        return Body(
            rename.format(table.name, former, column.name),
            rename.format(table.name, column.name, former),
        )

    def alter_type(self) -> Body | None:
        found = self._free_column("sa.Integer")
        if found is None:
            return None
        table, column = found
        column.kind = "sa.BigInteger"
        alter = f'op.alter_column("{table.name}", "{column.name}", type_='
        return Body(f"{alter}sa.BigInteger)", f"{alter}sa.Integer)")

    def set_not_null(self) -> Body | None:
        found = self._free_column("sa.Text")
        if found is None:
            return None
        table, column = found
        column.used = True
        alter = f'op.alter_column("{table.name}", "{column.name}", nullable='
        return Body(
            f"op.execute(\"UPDATE {table.name} SET {column.name} = 'none' "
            f'WHERE {column.name} IS NULL")\n{alter}False)',
            f"{alter}True)",
        )

    def set_default(self) -> Body:
        table = self.table()
        value = self.rng.randrange(1, 99)
        alter = f'op.alter_column("{table.name}", "note", server_default='
        return Body(f'{alter}"note {value}")', f"{alter}None)")

    # -- indexes ---------------------------------------------------------------------------------

    def create_index(self) -> Body:
        index = self._new_index()
        return Body(f"op.create_index({index.arguments()})", f'op.drop_index("{index.name}")')

    def drop_index(self) -> Body | None:
        if not self.indexes:
            return None
        index = self._taken_index()
        return Body(f'op.drop_index("{index.name}")', f"op.create_index({index.arguments()})")

    def create_index_concurrently(self) -> Outside:
        index = self._new_index()
        return Outside(
            f"op.create_index_concurrently({index.arguments()})",
            f'op.drop_index_concurrently("{index.name}")',
            index.name,
            down_outside=True,
            table=index.table.name,
        )

    def drop_index_concurrently(self) -> Outside | None:
        if not self.indexes:
            return None
        index = self._taken_index()
        return Outside(
            f'op.drop_index_concurrently("{index.name}")',
            f"op.create_index_concurrently({index.arguments()})",
            index.name,
            down_outside=True,
            table=index.table.name,
        )

    def reindex_concurrently(self) -> Outside | None:
        if not self.indexes:
            return None
        index = self.rng.choice(self.indexes)
        return Outside(
            f'op.reindex_concurrently("{index.name}")',
            "pass",
            index.name,
            down_outside=False,
            table=index.table.name,
        )

    # -- partitions ------------------------------------------------------------------------------

    def create_partitions(self) -> Body:
        table = Table(self.name("p"), partitioned=True)
        self.tables.append(table)
        up = [f'op.execute("CREATE TABLE {table.name} (id bigint, n int) PARTITION BY RANGE (id)")']
        for number in range(2):
            low = number * 100
            partition = f"{table.name}_{number}"
            self.partitions.append((table, partition, low))
            up.append(
                f'op.execute("CREATE TABLE {partition} PARTITION OF {table.name} '
                f'FOR VALUES FROM ({low}) TO ({low + 100})")'
            )
        up.append(
            f'op.execute("INSERT INTO {table.name} SELECT i, i % 3 FROM generate_series(0, 199) i")'
        )
        # A partition that was detached and attached again goes with it too.
        return Body("\n".join(up), f'op.drop_table("{table.name}")')

    def detach_partition_concurrently(self) -> Outside | None:
        if not self.partitions:
            return None
        table, partition, low = self.partitions.pop(self.rng.randrange(len(self.partitions)))
        return Outside(
            f'op.detach_partition_concurrently("{table.name}", "{partition}")',
            f'op.execute("ALTER TABLE {table.name} ATTACH PARTITION {partition} '
            f'FOR VALUES FROM ({low}) TO ({low + 100})")',
            partition,
            down_outside=False,
            table=table.name,
        )

    def index_partitions_concurrently(self) -> Outside | None:
        partitioned = [table for table in self.tables if table.partitioned]
        if not partitioned:
            return None
        table, name = self.rng.choice(partitioned), self.name("ix")
        columns = self.rng.choice((["n"], ["n", "id"]))
        return Outside(
            f'op.create_index_concurrently("{name}", "{table.name}", {columns})',
            f'op.drop_index_concurrently("{name}")',
            rf"(?:{table.name}_\d+_)?{name}",
            down_outside=True,
            table=table.name,
            in_scripts=False,
        )

    # -- constraints -----------------------------------------------------------------------------

    def add_check(self) -> Body:
        table = self.table()
        table.used = True
        name = self.name("check")
        arguments = f'op.f("{name}"), "{table.name}", "n >= -1000"'
        not_valid = self.rng.random() < 0.7
        if not_valid:
            arguments += ", postgresql_not_valid=True"
            self.not_valid.append((table, name))
        return Body(
            f"op.create_check_constraint({arguments})",
            f'op.drop_constraint(op.f("{name}"), "{table.name}")',
        )

    def add_foreign_key(self) -> Body:
        table, parent = self.table(), self.table()
        table.used = parent.used = True
        # Its rows are given here; an insert leaves it out.
        column = Column(self.name("c"), "key", used=True)
        name = self.name("fk")
        self.not_valid.append((table, name))
        up = [
            f'op.add_column("{table.name}", sa.Column("{column.name}", sa.BigInteger))',
            f'op.execute("UPDATE {table.name} SET {column.name} = '
            f'(SELECT min(id) FROM {parent.name})")',
            f'op.create_foreign_key(op.f("{name}"), "{table.name}", "{parent.name}", '
            f'["{column.name}"], ["id"], postgresql_not_valid=True)',
        ]
        return Body("\n".join(up), f'op.drop_column("{table.name}", "{column.name}")')

    def validate(self) -> Body | None:
        if not self.not_valid:
            return None
        table, name = self.not_valid.pop(self.rng.randrange(len(self.not_valid)))
        # Validity is not taken back: a valid constraint is what a later downgrade drops as well.
        return Body(
            f'op.execute("ALTER TABLE {table.name} VALIDATE CONSTRAINT {name}")',
            "pass",
        )

    # -- types, views, functions -----------------------------------------------------------------

    def create_enum(self) -> Body:
        table = self.table()
        enum = Enum(self.name("mood"), ["good", "bad"])
        column = Column(self.name("c"), enum.name, used=True)
        enum.columns.append((table, column))
        self.enums.append(enum)
        table.used = True
        return Body(
            f"op.execute(\"CREATE TYPE {enum.name} AS ENUM ('good', 'bad')\")\n"
            f'op.execute("ALTER TABLE {table.name} ADD COLUMN {column.name} {enum.name}'
            " DEFAULT 'bad'\")",
            f'op.drop_column("{table.name}", "{column.name}")\nop.execute("DROP TYPE {enum.name}")',
        )

    def add_enum_value(self) -> Body | None:
        if not self.enums:
            return None
        enum = self.rng.choice(self.enums)
        value = self.name("v")
        columns = [(table.name, column.name) for table, column in enum.columns]
        up = f'op.add_enum_value("{enum.name}", "{value}")'
        down = f'op.replace_enum("{enum.name}", {enum.values}, columns={columns})'
        enum.values.append(value)
        return Body(up, down)

    def create_view(self) -> Body:
        table = self.table()
        table.used = True
        name = self.name("view")
        return Body(
            f'op.execute("CREATE VIEW {name} AS SELECT id, n FROM {table.name} WHERE n > 1")',
            f'op.execute("DROP VIEW {name}")',
        )

    def create_trigger(self) -> Body | None:
        free = [table for table in self.tables if not table.trigger and not table.partitioned]
        if not free:
            return None
        table = self.rng.choice(free)
        table.trigger = table.used = True
        name = self.name("f")
        return Body(
            f'op.execute("CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS '
            f"$$ BEGIN NEW.note := upper(coalesce(NEW.note, '{name}')); RETURN NEW; END $$\")\n"
            f'op.execute("CREATE TRIGGER {name} BEFORE INSERT OR UPDATE ON {table.name} '
            f'FOR EACH ROW EXECUTE FUNCTION {name}()")',
            f'op.execute("DROP TRIGGER {name} ON {table.name}")\n'
            f'op.execute("DROP FUNCTION {name}()")',
        )

    # -- rows ------------------------------------------------------------------------------------

    def insert(self) -> Body:
        table = self.table()
        first = table.next_id
        up = self._insert(table, self.rng.choice((3, 50, 500)))
        # A table that a downgrade creates again has no rows, and the deletion is of rows.
        table.used = True
        return Body(up, f'op.execute("DELETE FROM {table.name} WHERE id >= {first}")')

    def update(self) -> Body:
        table = self.table()
        return Body(
            f'op.execute("UPDATE {table.name} SET n = n + 1")',
            f'op.execute("UPDATE {table.name} SET n = n - 1")',
        )

    # -- parts -----------------------------------------------------------------------------------

    def _insert(self, table: Table, count: int) -> str:
        last = table.next_id + count - 1
        columns = [column for column in table.columns if column.kind in TYPES]
        names = "".join(f", {column.name}" for column in columns)
        values = "".join(f", {TYPES[column.kind]}" for column in columns)
        statement = (
            f'op.execute("INSERT INTO {table.name} (id, n, note{names}) SELECT i, i % 7, '
            f"'row ' || i{values} FROM generate_series({table.next_id}, {last}) i\")"
        )
        table.next_id = last + 1
        return statement

    def _new_index(self) -> Index:
        table = self.table()
        table.used = True
        kind = self.rng.randrange(4)
        columns: tuple[str, ...] = ("n",)
        options = ""
        if kind == 0:
            columns, options = ("n", "id"), ", unique=True"
        elif kind == 1:
            columns = ("note",)
        elif kind == 2:
            options = ', postgresql_where=sa.text("n > 2")'
        index = Index(self.name("ix"), table, columns, options)
        self.indexes.append(index)
        return index

    def _taken_index(self) -> Index:
        return self.indexes.pop(self.rng.randrange(len(self.indexes)))

    def _free_column(self, kind: str | None = None) -> tuple[Table, Column] | None:
        free = [
            (table, column)
            for table in self.tables
            for column in table.columns
            if not column.used and kind in (None, column.kind)
        ]
        return self.rng.choice(free) if free else None


TRANSACTIONAL: Sequence[tuple[Callable[[Schema], Body | None], int]] = (
    (Schema.create_table, 4),
    (Schema.drop_table, 2),
    (Schema.rename_table, 1),
    (Schema.add_column, 4),
    (Schema.drop_column, 2),
    (Schema.rename_column, 1),
    (Schema.alter_type, 2),
    (Schema.set_not_null, 2),
    (Schema.set_default, 1),
    (Schema.create_index, 2),
    (Schema.drop_index, 1),
    (Schema.create_partitions, 3),
    (Schema.add_check, 2),
    (Schema.add_foreign_key, 2),
    (Schema.validate, 3),
    (Schema.create_enum, 2),
    (Schema.add_enum_value, 3),
    (Schema.create_view, 2),
    (Schema.create_trigger, 2),
    (Schema.insert, 3),
    (Schema.update, 3),
)
CONCURRENT: Sequence[tuple[Callable[[Schema], Outside | None], int]] = (
    (Schema.create_index_concurrently, 5),
    (Schema.drop_index_concurrently, 3),
    (Schema.reindex_concurrently, 2),
    (Schema.index_partitions_concurrently, 4),
    (Schema.detach_partition_concurrently, 3),
)
OUTSIDE_SHARE = 0.4


def build(chain: Chain, rng: Random) -> list[Step]:
    """Write a chain into an empty folder; what the checks need to know of each revision."""
    schema = Schema(rng)
    steps: list[Step] = []
    for number in range(1, rng.randint(SHORTEST, LONGEST) + 1):
        identifier = f"{number:04}"
        outside = _outside(schema, rng) if number > 1 and rng.random() < OUTSIDE_SHARE else None
        if outside is not None:
            up, down = outside.up, outside.down
        else:
            up, down = _transactional(schema, rng, identifier, first=number == 1)
        chain.add(up, down, identifier=identifier, down=steps[-1].id if steps else "", lock=False)
        path = chain.path(identifier)
        imports = "from sqlalchemy.dialects import postgresql\n"
        path.write_text(path.read_text("utf-8").replace("\nrevision =", f"{imports}\nrevision ="))
        tables = tuple(table.name for table in schema.tables)
        if outside is None:
            steps.append(Step(identifier, tables))
        else:
            _, _, leaves, down_outside, table, in_scripts = outside
            steps.append(Step(identifier, tables, True, down_outside, leaves, table, in_scripts))
    chain.lock()
    return steps


def _transactional(schema: Schema, rng: Random, identifier: str, *, first: bool) -> tuple[str, str]:
    """The body of a revision, which writes down that it took effect."""
    note = "op.execute(\"INSERT INTO effects VALUES ('{}', '{}')\")"
    up, down = [note.format(identifier, "up")], [note.format(identifier, "down")]
    if first:
        up.insert(0, 'op.execute("CREATE TABLE effects (revision text, direction text)")')
        down = ['op.execute("DROP TABLE effects")']
    makers, weights = zip(*TRANSACTIONAL, strict=True)
    wanted = rng.randint(1, 3)
    if first:
        for _ in range(2):
            body = schema.create_table()
            up.append(body.up)
            down.insert(0, body.down)
        wanted = 0
    while wanted:
        body = rng.choices(makers, weights)[0](schema)
        if body is not None:
            up.append(body.up)
            down.insert(0, body.down)
            wanted -= 1
    return "\n".join(up), "\n".join(down)


def _outside(schema: Schema, rng: Random) -> Outside | None:
    makers = [maker for maker, _ in CONCURRENT]
    return rng.choices(makers, [weight for _, weight in CONCURRENT])[0](schema)


def _create(name: str) -> str:
    return (
        f'op.create_table("{name}", sa.Column("id", sa.BigInteger, primary_key=True, '
        'autoincrement=False), sa.Column("n", sa.Integer, nullable=False, server_default="0"), '
        'sa.Column("note", sa.Text))'
    )
