"""Renames, and moves to another schema: declared ones, and those of constraints and indexes."""

import itertools
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from dataclasses import field, replace

from alembic.operations import MigrateOperation

from surefoot.autogenerate.allowances import COVERED
from surefoot.autogenerate.change import Change, Stage, Turn
from surefoot.autogenerate.comparison import Comparison
from surefoot.autogenerate.rendering import Call, sql
from surefoot.catalog import Catalog, Key
from surefoot.catalog.grants import rights
from surefoot.catalog.kinds import Column, Constraint, Index, SchemaObject, Table
from surefoot.frozen import dataclass
from surefoot.quoting import in_schema, own_name, quoted, schema_of, short_name

READY = (
    "Before this runs: have the next release ready, and replace the running one at the same moment."
)
_RENAMED = (
    "A release knows either {old} or {new}: one that uses the old name fails afterwards, and one "
    f"that uses the new name fails before. {READY} If that is not possible: add {{new}}, write "
    "both, backfill the rows in batches, and drop {old} in a contract revision."
)
_MOVED = (
    f"A release that names a schema knows either {{old}} or {{new}}. {READY} Types and functions "
    "stay in their schema; indexes, constraints and owned sequences move along."
)
# The order in which they are declared: by the new schema, then by the new name of the table.
DECLARED = ("schema", "table", "column")
# Kinds of object whose names only their table makes unique.
_IN_TABLE = ("column", "constraint")
# Objects that are often named after a table or a column.
_Following = Constraint | Index
_FOLLOWING: tuple[type[_Following], ...] = (Constraint, Index)


@dataclass(frozen=True)
class Rename:
    """A rename of a table, its schema, a column, a constraint, an index or a type."""

    kind: str
    table: str
    old: str
    new: str
    # Of a move: the default schema.
    home: str = field(default="", compare=False)

    @property
    def name(self) -> str:
        """The new name; of a move with the schema."""
        if self.kind == "schema":
            return f"{self.new}.{self.table}"
        return f"{self.table}.{self.new}" if self.kind in _IN_TABLE else self.new

    @property
    def key(self) -> Key:
        if self.kind != "schema":
            return Key(self.kind, self.name)
        return Key("table", in_schema(None if self.new == self.home else self.new, self.table))

    @property
    def back(self) -> "Rename":
        return replace(self, old=self.new, new=self.old)

    def statement(self) -> str:
        old, new = quoted(self.old), quoted(own_name(self.new))
        if self.kind == "schema":
            return f"ALTER TABLE {old}.{quoted(self.table)} SET SCHEMA {new}"
        if self.kind in _IN_TABLE:
            return f"ALTER TABLE {quoted(self.table)} RENAME {self.kind.upper()} {old} TO {new}"
        return f"ALTER {self.kind.upper()} {old} RENAME TO {new}"

    def change(self, stage: Stage = Stage.DROP) -> Change:
        do, undo = [self._operation()], [self.back._operation()]
        return Change(stage, do, undo, "rename", self.key)

    def changes(self, declared: Collection[str], covered: Comparison | None) -> Iterator[Change]:
        """The rename as changes; `declared` are the tables with a declared rename.

        With a comparison `covered` a renamed table keeps a view under its old name, with the rights
        on the table. There is no view where the table changes otherwise too: it would block the
        other changes.
        """
        change, old, new = self.change(), self.back.name, self.name
        if self.kind == "schema":
            yield change.at(
                Turn.RENAME, "", f"Move {old} to {new}", _MOVED.format(old=old, new=new)
            )
        elif self.kind not in DECLARED:
            if self.table in declared:
                yield change.at(Turn.RENAME)
            else:
                change.action = "name"
                yield change.at(Turn.MAIN, "", f"Rename {self.old} of {self.table} to {self.new}")
        elif covered is not None and self.kind == "table":
            yield from _covered(change, old, new, covered)
        else:
            about = _RENAMED.format(old=old, new=new)
            yield change.at(Turn.RENAME, "", f"Rename {old} to {new}", about)

    def _operation(self) -> MigrateOperation:
        if self.kind == "column":
            return Call("alter_column", self.table, self.old, new_column_name=self.new)
        if self.kind == "table":
            return Call("rename_table", self.old, self.new)
        return sql(self.statement())


def ordered(renames: Iterable[Rename]) -> Iterator[Rename]:
    """The renames, each after the one that frees its new name; one of a circle takes a third name.

    In a schema an index, also that of a key, has a name that no other one has.
    """
    left = [*renames]
    while left:
        holders = {_in_schema(each, each.old): each for each in left}
        path = [left[0]]
        while (holder := holders.get(_in_schema(path[-1], path[-1].new))) and holder not in path:
            path.append(holder)
        if holder is None:
            left.remove(path[-1])
            yield path[-1]
        else:
            there = short_name(f"{holder.old}_former")
            left[left.index(holder)] = replace(holder, old=there)
            yield replace(holder, new=there)


def _in_schema(rename: Rename, name: str) -> str:
    return in_schema(schema_of(rename.table), own_name(name))


def named_otherwise(comparison: Comparison) -> list[Rename]:
    """Constraints and indexes that differ by their names only; comments may differ, too.

    Of two that are equal nobody knows which one has the new name: they are no renames.
    """
    database, models = comparison.database, comparison.models
    taken = Counter(item.name for item in database.objects.values() if not isinstance(item, Column))
    found = []
    for kind, table in itertools.product(_FOLLOWING, sorted(comparison.kept_tables)):
        sides = database.of_table(kind, table), models.of_table(kind, table)
        alike: dict[_Following, tuple[list[str], list[str]]] = {}
        for number, (side, other) in enumerate((sides, sides[::-1])):
            for name in side.keys() - other.keys():
                alike.setdefault(_nameless(side[name]), ([], []))[number].append(name)
        for olds, news in alike.values():
            if len(olds) == len(news) == 1:
                found.append(Rename(kind.__name__.lower(), table, olds[0], news[0]))
    # A name is free where all that have it get another one.
    taken.subtract(each.old for each in found)
    while blocked := [each for each in found if taken[each.new] > 0]:
        found = [each for each in found if each not in blocked]
        taken.update(each.old for each in blocked)
    return sorted(found, key=lambda each: each.key)


def in_the_way(comparison: Comparison) -> list[Rename]:
    """Constraints and indexes of a table that goes later, whose names others have by then."""
    wanted = {name_of_index(each) for _, each in indexed(comparison.models)}
    taken = {name_of_index(each) for _, each in indexed(comparison.database)} | wanted
    found = []
    for key, each in indexed(comparison.database):
        if each.table in comparison.gone_tables and name_of_index(each) in wanted:
            there = short_name(f"{each.name}_old")
            if name_of_index(replace(each, name=there)) not in taken:
                found.append(Rename(key.kind, each.table, each.name, there))
    return found


def indexed(catalog: Catalog) -> Iterator[tuple[Key, _Following]]:
    """The indexes, and the constraints that have one."""
    yield from catalog.each(Index)
    for key, each in catalog.each(Constraint):
        if each.type in ("primary key", "unique", "exclusion"):
            yield key, each


def name_of_index(item: _Following) -> str:
    """The name of the index in its schema."""
    name = own_name(item.name) if isinstance(item, Index) else item.name
    return in_schema(schema_of(item.table), name)


def uninherited(renames: Collection[Rename], database: Catalog) -> Iterator[Rename]:
    """The renames without those of checks that follow the rename of a parent's."""
    for each in renames:
        item = database.find(Constraint, each.key)
        of_parents = (replace(each, table=parent) for parent in database.parents(each.table))
        if item is None or item.type != "check" or not any(one in renames for one in of_parents):
            yield each


def renamed(catalog: Catalog, renames: Collection[Rename]) -> Catalog:
    keys = {each.back.key: each.key for each in renames}
    # Two may get each other's name.
    objects = {key: each for key, each in catalog.objects.items() if key not in keys}
    for each in renames:
        item = catalog.objects[each.back.key]
        assert isinstance(item, _FOLLOWING)
        objects[each.key] = _called(item, each.new)
    uses = {
        keys.get(key, key): frozenset(keys.get(need, need) for need in needs)
        for key, needs in catalog.uses.items()
    }
    return replace(catalog, objects=objects, uses=uses)


def _called(item: _Following, name: str) -> _Following:
    """The object under another name."""
    old, new = quoted(own_name(item.name)), quoted(own_name(name))
    definition = item.definition.replace(f"INDEX {old} ON", f"INDEX {new} ON", 1)
    return replace(item, name=name, definition=definition)


def _nameless(item: _Following) -> _Following:
    """Equal for two objects between which a rename is the only change, or the hard one."""
    found = replace(_called(item, "?"), comment=None)
    return replace(found, validated=True) if isinstance(found, Constraint) else found


def _covered(change: Change, old: str, new: str, comparison: Comparison) -> Iterator[Change]:
    table = comparison.database.one(Table, Key("table", new))
    # A view reads as its owner, whom row level security may not concern.
    option = " WITH (security_invoker = true)" if table.row_security else ""
    select = f"SELECT * FROM {quoted(new)}"  # noqa: S608 - quoted
    key, columns = Key("view", old), comparison.database.each(Column)
    parts: list[tuple[Key, SchemaObject]] = [
        (Key("table", new), replace(table, name=old)),
        *((at, replace(each, table=old)) for at, each in columns if each.table == new),
    ]
    make = [
        sql(f"CREATE VIEW {quoted(old)}{option} AS {select}"),
        *(
            sql(right)
            for at, item in parts
            for right in rights(at, item, replace(item, privileges=comparison.rights(at)))
        ),
    ]
    drop = sql(f"DROP VIEW {quoted(old)}")
    about = f"{COVERED} {new} through the view {old}."
    change = Change(change.stage, change.ops, change.undo, "cover", change.key)
    yield change.at(Turn.RENAME, "", f"Rename {old} to {new}", about)
    yield Change(Stage.DROP, make, [drop], "make", key).at(Turn.RENAME)
    away = Change(Stage.DROP, [drop], make, "drop", key)
    yield away.at(Turn.CONTRACT)
