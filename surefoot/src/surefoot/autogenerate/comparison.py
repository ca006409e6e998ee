"""Comparison holds the catalogs of the database and of the models."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

from surefoot.autogenerate.column_code import HIGHEST
from surefoot.autogenerate.object_operations import inline_code, refers_to
from surefoot.autogenerate.rendering import ByHand
from surefoot.catalog import Catalog, Key, SchemaObject
from surefoot.catalog.grants import Defaults, granted
from surefoot.catalog.kinds import (
    Attributes,
    Column,
    Constraint,
    Enum,
    Names,
    Routine,
    Sequence,
    Table,
    table_of,
)
from surefoot.catalog.model import NOTHING, key_of, with_text
from surefoot.catalog.order import in_order
from surefoot.operations.enums import renamed, value_steps
from surefoot.quoting import literal, quoted

_SAYS_SO = re.compile(r"\b(IMMUTABLE|STABLE)\b")


@dataclass
class ObjectDiff:
    """The objects by how they change; tables and ordinary columns are not among them."""

    added: set[Key] = field(default_factory=set)
    removed: set[Key] = field(default_factory=set)
    # Dropped and created again: changed ones, and unchanged ones that depend on a changed object.
    recreated: set[Key] = field(default_factory=set)
    in_place: set[Key] = field(default_factory=set)
    # Those that no statement changes, with the steps for a person.
    by_hand: dict[Key, ByHand] = field(default_factory=dict)
    # Generated columns that are dropped and added; generated columns that become ordinary.
    recreated_columns: set[Key] = field(default_factory=set)
    freed_columns: set[Key] = field(default_factory=set)
    # Enums that lose or reorder values: the type is replaced in place.
    replaced: set[Key] = field(default_factory=set)
    # The same, where new columns are filled and swapped in.
    swapped: set[Key] = field(default_factory=set)
    # Columns of another type that are swapped for new ones, each after those that it refers to.
    beside: list[Key] = field(default_factory=list)
    # Columns of another type or collation.
    retyped: set[Key] = field(default_factory=set)
    # What is created again, replaced or retyped: objects that depend on it go first.
    moved: set[Key] = field(default_factory=set)


@dataclass(frozen=True)
class Comparison:
    """Both catalogs, and the facts that are needed to plan the changes between them."""

    database: Catalog
    models: Catalog
    casts: Mapping[tuple[str, str], str] = field(default_factory=dict)
    # The database with the owners of its objects and the privileges on them.
    owned: Catalog = NOTHING
    # Names of volatile functions.
    volatile: frozenset[str] = frozenset()
    # The major version of the server that both sides were read from.
    major: int = 0
    # The names of the NOT NULL constraints of the database, by column.
    not_nulls: Mapping[str, str] = field(default_factory=dict)
    # The models once more, with each retyped column and enum under its temporary name.
    temporary: Catalog = NOTHING
    # How many objects of the database no model claims and nothing changes, by kind.
    left: Mapping[str, int] = field(default_factory=dict)
    # The imports that the project's spelling of types needs.
    imports: frozenset[str] = frozenset()
    # The extensions that the models need and the database lacks, with a schema that they name.
    extensions: tuple[tuple[str, str | None], ...] = ()
    # So with schemas.
    schemas: tuple[str, ...] = ()
    # The privileges on each object, as they are and as they should be, where models decide them.
    privileges: Mapping[Key, tuple[Names, Names]] = field(default_factory=dict)
    # Those on a new object.
    defaults: Defaults = field(default_factory=Defaults)
    diff: ObjectDiff = field(default_factory=ObjectDiff)
    # Whether all steps run one after the other, and no release comes between them.
    at_once: bool = False
    # The tables that are changed in one step, however long it blocks them.
    plain: frozenset[str] = frozenset()

    @cached_property
    def kept_tables(self) -> frozenset[str]:
        return self._tables(self.database) & self._tables(self.models)

    @cached_property
    def new_tables(self) -> frozenset[str]:
        return self._tables(self.models) - self._tables(self.database)

    @cached_property
    def gone_tables(self) -> frozenset[str]:
        return self._tables(self.database) - self._tables(self.models)

    @cached_property
    def tables_in_order(self) -> list[str]:
        """The new tables, each after those that it refers to or inherits from."""
        uses: dict[Key, frozenset[Key]] = {}
        for name in self.new_tables:
            referred = map(refers_to, self.models.of_table(Constraint, name).values())
            needed = {*self.models.parents(name), *filter(None, referred)}
            uses[Key("table", name)] = frozenset(Key("table", each) for each in needed)
        return [key.name for key in in_order(uses, uses)]

    @cached_property
    def inline(self) -> Mapping[str, list[Constraint]]:
        """The constraints that are created with a table of one side, by its name.

        A table of the models is created with foreign keys to earlier tables; a partitioned one also
        with those to existing tables, as they cannot be added NOT VALID before PostgreSQL 18.
        """
        found = {name: _inline(self.database, name, ()) for name in self.gone_tables}
        for number, name in enumerate(self.tables_in_order):
            has_parts = self.models.one(Table, Key("table", name)).partition_key is not None
            known = {*self.tables_in_order[:number], *(self.kept_tables if has_parts else ())}
            found[name] = _inline(self.models, name, known)
        return found

    def is_in_use(self, table: str, *, or_parts: bool = False) -> bool:
        """Whether a table exists on both sides and can be changed online.

        Of the online forms a partitioned table, which `or_parts` lets pass, supports those of
        indexes, where operations run them, and a check that is added NOT VALID.
        """
        found, or_parts = self.database.table(table), or_parts and not self.at_once
        kinds = ("table", *["partitioned table"] * or_parts)
        return self.is_online(table) and found is not None and found.kind in kinds

    def is_online(self, table: str | None) -> bool:
        """Whether a table of both sides is changed in steps, as far as its kind allows it."""
        return table in self.kept_tables and table not in self.plain

    def plainly(self) -> Comparison:
        """The same comparison, for one revision of all that fits one transaction."""
        return replace(self, at_once=True, plain=self.kept_tables)

    def is_inherited(self, key: Key) -> bool:
        """Whether a change of the column comes along with that of a table it is inherited from."""
        table, _, name = key.name.rpartition(".")
        sides = self.database, self.models
        parents = frozenset.intersection(*(side.parents(table) for side in sides))
        return all(side.inherits(table, name, parents) for side in sides)

    def leaves_a_parent(self, key: Key) -> bool:
        """Whether a column of a parent that its table leaves changes as only an own one can.

        PostgreSQL refuses another type, and null where the parent has none, until the table has
        left it.
        """
        before, after = self.database.find(Column, key), self.models.find(Column, key)
        if before is None or after is None:
            return False
        kind = (before.type, before.collation) != (after.type, after.collation)
        left = self.database.parents(before.table) - self.models.parents(before.table)
        return (kind or (before.not_null and not after.not_null)) and any(
            self.database.column(parent, before.name) for parent in left
        )

    def is_renumbered(self, key: Key) -> bool:
        """Whether a column with a default gets an identity instead, or the other way round."""
        before, after = self.database.find(Column, key), self.models.find(Column, key)
        if before is None or after is None:
            return False
        if before.type != after.type and not {before.type, after.type} <= HIGHEST.keys():
            return False
        return (before.identity is None) != (after.identity is None)

    def exchanged_sequence(self, key: Key) -> Sequence | None:
        """The sequence of a column's default that goes for its identity, or comes for it."""
        if not self.is_renumbered(key):
            return None
        sides = self.database, self.models
        one, other = sides if self.database.one(Column, key).identity is None else sides[::-1]
        for each in one.needs(key) - {*other.objects}:
            found = one.find(Sequence, each)
            if found and found.owned_by == key.name and not found.comment:
                return found
        return None

    @cached_property
    def followed(self) -> Catalog:
        """The database after the values of enums are renamed.

        Defaults, checks, indexes and views that name such a value follow the rename.
        """
        objects = dict(self.database.objects)
        for enum, found in self.database.each(Enum):
            expected = self.models.find(Enum, enum)
            pair = expected and renamed(found.values, expected.values)
            if pair:
                old, new = (f"{literal(value)}::{quoted(enum.name)}" for value in pair)
                for key in self.database.users_of(enum):
                    objects[key] = with_text(objects[key], old, new)
        return replace(self.database, objects=objects)

    @cached_property
    def own_functions(self) -> Mapping[str, bool]:
        """Whether a function of the models is volatile, by its name."""
        return {
            each.name: not _SAYS_SO.search(each.definition)
            for key, each in self.models.each(Routine)
            if key.kind == "function"
        }

    def sides(self, key: Key) -> tuple[SchemaObject | None, SchemaObject | None]:
        """An object as the database has it and as the models declare it."""
        return self.followed.objects.get(key), self.models.objects.get(key)

    def item(self, key: Key) -> SchemaObject | None:
        """An object of the models, or else of the database."""
        before, after = self.sides(key)
        return after or before

    def table_of(self, key: Key) -> str | None:
        """The table of an object, also of one that has another name for a while."""
        named = key.name.rpartition(".")[0] if key.kind in ("column", "constraint") else None
        return table_of(self.item(key)) or named

    def rights(self, key: Key) -> Names | None:
        """The privileges on an object of the database."""
        found = self.owned.objects.get(key)
        return None if found is None else found.privileges

    def grants(self, key: Key) -> list[str]:
        """The statements that give a new object the owner and the privileges that it has now."""
        found = self.owned.objects.get(key)
        if found is None:
            return []
        fresh = replace(found, owner=None, privileges=self.defaults.of(key))
        return granted(key, self.owned, replace(self.owned, objects={key: fresh}))

    def users_of(self, *keys: Key) -> frozenset[Key]:
        return self.database.users_of(*keys) | self.models.users_of(*keys)

    def pair(self, key: Key) -> tuple[Column, Column]:
        return self.followed.one(Column, key), self.models.one(Column, key)

    @staticmethod
    def _tables(catalog: Catalog) -> frozenset[str]:
        return frozenset(key.name for key, _ in catalog.each(Table))


def _inline(catalog: Catalog, table: str, known: Collection[str]) -> list[Constraint]:
    """The constraints of a table that can be a part of it; `known` are the tables beside it."""
    found = catalog.of_table(Constraint, table).values()
    referable = {None, table, *known}
    inline = (each for each in found if inline_code(each) and refers_to(each) in referable)
    keys = {key_of(each): each for each in inline}
    # A foreign key of the table to itself may need a key that is added to it.
    return [
        each
        for key, each in keys.items()
        if not any(
            used.kind in ("constraint", "index") and table_of(catalog.objects.get(used)) == table
            for used in catalog.needs(key) - keys.keys()
        )
    ]


def is_replaced(database: Catalog, models: Catalog, key: Key) -> bool:
    """Whether this is an enum that must be replaced by a new type."""
    before, after = database.find(Enum, key), models.find(Enum, key)
    if before is None or after is None:
        return False
    return value_steps("", before.values, after.values) is None


def changed(comparison: Comparison, key: Key) -> Attributes:
    """The names of the attributes in which an object of both differs."""
    return comparison.followed.objects[key].differing(comparison.models.objects[key])
