"""Renames: declared ones, and differences that may be one.

    alembic -x rename=jobs.rank:jobs.priority -x rename=files:documents revision --autogenerate …

Declare renames with `-x rename=…`; they are never guessed. A declared rename is carried out in a
savepoint before the comparison, so that everything else is compared with the renamed database, and
rolled back afterwards. An undeclared rename is written as a drop and an add, with a question.
"""

import itertools
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace

from alembic.migration import MigrationContext
from alembic.operations import MigrateOperation, ops
from sqlalchemy import Connection, text

from surefoot.autogenerate.allowances import COVERED
from surefoot.autogenerate.change import Change, Stage, Turn
from surefoot.autogenerate.rendering import Call, rename_column, sql
from surefoot.catalog import Catalog, Key, snapshot
from surefoot.catalog.kinds import Column, Constraint, Index, Table
from surefoot.errors import UsageError
from surefoot.quoting import quoted

_FORM = (
    "write -x rename=table.column:table.new_column, -x rename=table:new_table, or "
    "-x rename=table:schema.table"
)
_RENAMED = (
    "A release knows either {old} or {new}: one that uses the old name fails afterwards, and one "
    "that uses the new name fails before. Before this runs: have the next release ready, and "
    "replace the running one at the same moment. If that is not possible: add {new}, write both, "
    "backfill the rows in batches, and drop {old} in a contract revision."
)

# Objects with a name of their own in the schema.
_WHOLE = ("table", "index")
# Objects that are often named after a table or a column.
_Following = Constraint | Index
_FOLLOWING: tuple[type[_Following], ...] = (Constraint, Index)


@dataclass(frozen=True)
class Rename:
    """A rename of a table, a column, or an object that is named after one."""

    kind: str
    table: str
    old: str
    new: str

    @property
    def key(self) -> Key:
        return Key(self.kind, self.new if self.kind in _WHOLE else f"{self.table}.{self.new}")

    @property
    def former(self) -> Key:
        return replace(self, new=self.old).key

    def statement(self) -> str:
        old, new = quoted(self.old), quoted(self.new)
        if self.kind in _WHOLE:
            return f"ALTER {self.kind.upper()} {old} RENAME TO {new}"
        return f"ALTER TABLE {quoted(self.table)} RENAME {self.kind.upper()} {old} TO {new}"

    def changes(self, declared: Collection[str], *, covered: bool) -> Iterator[Change]:
        """The rename as changes; `declared` are the tables with a declared rename.

        A renamed table keeps a view under its old name where `covered`. There is no view where the
        table changes otherwise too: it would block the other changes.
        """
        back = replace(self, old=self.new, new=self.old)
        change = Change(Stage.DROP, [self._operation()], [back._operation()], "rename", self.key)
        old, new = self.former.name, self.key.name
        if self.kind not in ("table", "column"):
            if self.table in declared:
                yield change.at(Turn.RENAME)
            else:
                change.action = "name"
                yield change.at(Turn.MAIN, "", f"Rename {self.old} of {self.table} to {self.new}")
        elif covered and self.kind == "table":
            yield from _covered(change, old, new)
        else:
            about = _RENAMED.format(old=old, new=new)
            yield change.at(Turn.RENAME, "", f"Rename {old} to {new}", about)

    def _operation(self) -> MigrateOperation:
        if self.kind == "column":
            return rename_column(self.table, self.old, self.new)
        if self.kind == "table":
            return Call("rename_table", self.old, self.new)
        return sql(self.statement())


def parse_renames(arguments: Iterable[str]) -> list[Rename]:
    """The renames that `-x rename=…` declares. On failure: UsageError with the form."""
    renames = []
    for argument in arguments:
        old, _, new = argument.partition(":")
        (table, _, column), (other, _, new_column) = old.partition("."), new.partition(".")
        if column and new_column and table == other:
            renames.append(Rename("column", table, column, new_column))
        elif table and other and not column and not new_column:
            renames.append(Rename("table", table, table, other))
        else:
            raise UsageError(f"{argument!r} is no rename", help=_FORM)
    # Tables go first: a column is declared with the new name of its table.
    return sorted(renames, key=lambda each: each.kind != "table")


def carry_out(connection: Connection, renames: Iterable[Rename], schema: str) -> None:
    """Rename, in the savepoint of the caller. On failure: UsageError for a missing object."""
    for rename in renames:
        there = snapshot(connection, schema).objects
        if rename.former not in there:
            raise UsageError(f"there is no {rename.kind} {rename.former.name}", help=_FORM)
        if rename.key in there:
            raise UsageError(f"there is a {rename.kind} {rename.key.name} already", help=_FORM)
        connection.execute(text(rename.statement().replace(":", r"\:")))


def named_otherwise(database: Catalog, models: Catalog) -> list[Rename]:
    """Constraints and indexes that differ by their names only; comments may differ, too.

    Of two that are equal nobody knows which one has the new name: they are no renames.
    """
    taken = {item.name for item in database.objects.values() if not isinstance(item, Column)}
    found = []
    for kind, table in itertools.product(_FOLLOWING, sorted(_names(database) & _names(models))):
        sides = database.of_table(kind, table), models.of_table(kind, table)
        alike: dict[_Following, tuple[list[str], list[str]]] = {}
        for number, (side, other) in enumerate((sides, sides[::-1])):
            for name in side.keys() - other.keys():
                alike.setdefault(_nameless(side[name]), ([], []))[number].append(name)
        for olds, news in alike.values():
            if len(olds) == len(news) == 1 and news[0] not in taken:
                found.append(Rename(kind.__name__.lower(), table, olds[0], news[0]))
    return sorted(found, key=lambda each: each.key)


def uninherited(renames: Collection[Rename], database: Catalog) -> Iterator[Rename]:
    """The renames without those of checks that follow the rename of a parent's."""
    for each in renames:
        item = database.find(Constraint, each.key)
        of_parents = (replace(each, table=parent) for parent in database.parents(each.table))
        if item is None or item.type != "check" or not any(one in renames for one in of_parents):
            yield each


def renamed(catalog: Catalog, renames: Iterable[Rename]) -> Catalog:
    """The catalog after renames of constraints and indexes."""
    keys = {each.former: each.key for each in renames}
    objects = dict(catalog.objects)
    for each in renames:
        item = objects.pop(each.former)
        assert isinstance(item, _FOLLOWING)
        objects[each.key] = _called(item, each.new)
    uses = {
        keys.get(key, key): frozenset(keys.get(need, need) for need in needs)
        for key, needs in catalog.uses.items()
    }
    return replace(catalog, objects=objects, uses=uses)


def _called(item: _Following, name: str) -> _Following:
    """The object under another name."""
    old, new = quoted(item.name), quoted(name)
    definition = item.definition.replace(f"INDEX {old} ON", f"INDEX {new} ON", 1)
    return replace(item, name=name, definition=definition)


def _nameless(item: _Following) -> _Following:
    """Equal for two objects between which a rename is the only change, or the hard one."""
    found = replace(_called(item, "?"), comment=None)
    return replace(found, validated=True) if isinstance(found, Constraint) else found


def _covered(change: Change, old: str, new: str) -> Iterator[Change]:
    make = sql(f"CREATE VIEW {quoted(old)} AS SELECT * FROM {quoted(new)}")  # noqa: S608 - quoted
    drop = sql(f"DROP VIEW {quoted(old)}")
    key = Key("view", old)
    about = f"{COVERED} {new} through the view {old}."
    change = Change(change.stage, change.ops, change.undo, "cover", change.key)
    yield change.at(Turn.RENAME, "", f"Rename {old} to {new}", about)
    yield Change(Stage.DROP, [make], [drop], "make", key).at(Turn.RENAME)
    about = f"Before this runs: deploy a release that uses {new} only."
    away = Change(Stage.DROP, [drop], [make], "drop", key)
    yield away.at(Turn.CONTRACT, "", f"Drop the view {old}", about)


@dataclass(frozen=True)
class Candidate:
    """A drop and an add that may be a rename."""

    old: str
    new: str

    def question(self) -> str:
        return (
            f"{self.old} is dropped and {self.new} added; if that is a rename, delete the new "
            "revisions and run\n"
            f"  alembic -x rename={self.old}:{self.new} revision --autogenerate "
            f'-m "Rename {self.old} to {self.new}"'
        )

    def doubt(self) -> str:
        """The warning in the revision that drops it."""
        return (
            f"If {self.old} was renamed to {self.new}, this drops its data: declare the rename "
            f"with -x rename={self.old}:{self.new} instead."
        )


def candidates(database: Catalog, models: Catalog) -> Iterator[Candidate]:
    """The drops and adds that may be renames."""
    for table in sorted(_names(database) & _names(models)):
        before, after = database.of_table(Column, table), models.of_table(Column, table)
        gone = [each for each in before.values() if each.name not in after]
        come = [each for each in after.values() if each.name not in before]
        for old, new in itertools.product(gone, come):
            if old.type == new.type:
                yield Candidate(f"{table}.{old.name}", f"{table}.{new.name}")
    tables = sorted(_names(database) - _names(models)), sorted(_names(models) - _names(database))
    for old_table, new_table in itertools.product(*tables):
        if _columns(database, old_table) == _columns(models, new_table):
            yield Candidate(old_table, new_table)


def candidates_of(operations: ops.UpgradeOps, context: MigrationContext) -> Iterator[Candidate]:
    """The same for columns that Alembic found, where the catalogs were not compared."""
    for table in operations.ops:
        if not isinstance(table, ops.ModifyTableOps):
            continue
        gone = [each.to_column(context) for each in table.ops if isinstance(each, ops.DropColumnOp)]
        come = [each.column for each in table.ops if isinstance(each, ops.AddColumnOp)]
        for old, new in itertools.product(gone, come):
            if old.type.compile(context.dialect) == new.type.compile(context.dialect):
                name = table.table_name
                yield Candidate(f"{name}.{old.name}", f"{name}.{new.name}")


def _names(catalog: Catalog) -> set[str]:
    return {key.name for key, _ in catalog.each(Table)}


def _columns(catalog: Catalog, table: str) -> set[tuple[str, str]]:
    return {(name, column.type) for name, column in catalog.of_table(Column, table).items()}
