"""Catalog is comparable data; Difference is one place where two catalogs are not equal."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import field, fields, replace
from functools import cached_property
from typing import Any, Literal, NamedTuple, TypeVar

from surefoot.catalog.definitions import not_null_column, whole_name
from surefoot.catalog.kinds import (
    ON_DEMAND,
    UNDECLARED,
    UNDECLARED_KINDS,
    Attribute,
    Attributes,
    Column,
    Constraint,
    Kind,
    SchemaObject,
    Table,
    TableObject,
    Value,
)
from surefoot.chain.revisions import FINGERPRINT_METHOD
from surefoot.frozen import dataclass

_T = TypeVar("_T")
# Kinds of object whose names only their table makes unique.
NAMED_IN_TABLE = ("column", "constraint", "trigger", "rule", "policy")


class Key(NamedTuple):
    """Names an object: its kind (`index`) and its name, with the table's where that owns it.

    A column, constraint, trigger, rule or policy is `table.name`, a function `name(types)`.
    """

    kind: str
    name: str


def key_of(item: TableObject) -> Key:
    """The key of an object of a table: a column, a constraint, an index."""
    kind = type(item).__name__.lower()
    return Key(kind, f"{item.table}.{item.name}" if kind in NAMED_IN_TABLE else item.name)


_OF_PARTITION: Attributes = ON_DEMAND | {"partition key"}


@dataclass(frozen=True)
class Catalog:
    """A schema as it was read. Equal catalogs mean that no object differs."""

    objects: Mapping[Key, SchemaObject]
    # PostgreSQL cannot move a column, so another order is no difference that could be repaired.
    column_order: Mapping[str, tuple[str, ...]] = field(default_factory=dict, compare=False)
    # The objects that an object needs; this follows from the definitions.
    uses: Mapping[Key, frozenset[Key]] = field(default_factory=dict, compare=False)
    # Where owners were read: objects of this role have no `owner`.
    owner: str | None = field(default=None, compare=False)
    # The types of columns as a project spells them in Python, where it does.
    spelled: Mapping[Key, str] = field(default_factory=dict, compare=False)
    # The further schemas of a project, by name.
    others: Mapping[str, Catalog] = field(default_factory=dict)

    def find(self, kind: type[Kind], key: Key | None) -> Kind | None:
        """The object of this key, or None where there is none of this kind."""
        found = None if key is None else self.objects.get(key)
        return found if isinstance(found, kind) else None

    def one(self, kind: type[Kind], key: Key) -> Kind:
        """The object of this key. On failure: KeyError."""
        found = self.find(kind, key)
        if found is None:
            raise KeyError(key)
        return found

    def table(self, name: str) -> Table | None:
        """A table by its name."""
        return self.find(Table, Key("table", name))

    def column(self, table: str, name: str) -> Column | None:
        """A column by its table and its name."""
        return self.find(Column, Key("column", f"{table}.{name}"))

    def columns(self, table: str) -> list[Column]:
        """The columns of a table in their order."""
        found = (self.column(table, name) for name in self.column_order.get(table, ()))
        return [each for each in found if each is not None]

    def parents(self, table: str) -> frozenset[str]:
        """The tables that a table inherits from."""
        found = self.table(table)
        return frozenset(map(whole_name, (found and found.inherits) or ()))

    def inherits(self, table: str, name: str, parents: Iterable[str]) -> bool:
        """Whether one of the parents has the column as the table has it, or neither has it.

        Identities and comments are not inherited.
        """
        own = _heritable(self.column(table, name))
        return any(own == _heritable(self.column(parent, name)) for parent in parents)

    def each(self, kind: type[Kind]) -> Iterator[tuple[Key, Kind]]:
        """The objects of a kind, by key."""
        for key, found in sorted(self.objects.items(), key=lambda item: item[0]):
            if isinstance(found, kind):
                yield key, found

    def of_table(self, kind: type[Kind], table: str) -> dict[str, Kind]:
        """The objects of a kind that belong to a table, by their own name."""
        return {each.name: each for each in self._by_table.get(table, ()) if isinstance(each, kind)}

    @cached_property
    def _by_table(self) -> Mapping[str, list[TableObject]]:
        found: dict[str, list[TableObject]] = {}
        for _, each in self.each(TableObject):
            found.setdefault(each.table, []).append(each)
        return found

    def forbids_null(self, constraint: Constraint) -> bool:
        """Whether the column of a NOT NULL constraint is NOT NULL."""
        column = self.column(constraint.table, not_null_column(constraint.definition))
        return column is not None and column.not_null

    def users_of(self, *keys: Key) -> frozenset[Key]:
        """The objects that need one of these, directly or through another."""
        found, wanted = set[Key](), set(keys)
        while wanted:
            wanted = {user for user, used in self.uses.items() if used & wanted} - found
            found |= wanted
        return frozenset(found)

    def needs(self, key: Key) -> frozenset[Key]:
        """The objects that an object needs directly."""
        return self.uses.get(key, frozenset())

    def with_objects_of(self, other: Catalog, keys: Collection[Key]) -> Catalog:
        """The catalog with these objects as another one has them, or without them."""
        objects = _merged(self.objects, other.objects, keys)
        return replace(
            self,
            objects={key: objects[key] for key in sorted(objects)},
            uses=_merged(self.uses, other.uses, keys),
        )

    def declarable(self) -> Catalog:
        """The first schema, without the attributes and kinds that no model declares."""
        return replace(
            self,
            others={},
            objects={
                key: found.without(UNDECLARED)
                for key, found in self.objects.items()
                if not isinstance(found, UNDECLARED_KINDS)
            },
        )

    def fingerprint(self) -> str:
        """The SHA-256 of the objects and the method; the same on every supported server.

        Owners and privileges are left out, and so are extensions: an operator may install one
        beside the schema, and dropping one drops the objects that need it. The key by which a
        partition is divided again is left out, so that those of before stay comparable.
        """
        listing: list[list[object]] = [
            [*key, sorted(i for i in found.attributes().items() if i[0] not in _unprinted(key))]
            for key, found in sorted(self.objects.items(), key=lambda item: item[0])
            if key.kind != "extension"
        ]
        listing += ([name, other.fingerprint()] for name, other in sorted(self.others.items()))
        text = json.dumps(listing, ensure_ascii=False, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest() + FINGERPRINT_METHOD


def _merged(
    ours: Mapping[Key, _T], theirs: Mapping[Key, _T], keys: Collection[Key]
) -> dict[Key, _T]:
    kept = {key: each for key, each in ours.items() if key not in keys}
    return {**kept, **{key: theirs[key] for key in keys if key in theirs}}


def _heritable(column: Column | None) -> Column | None:
    return column and replace(column, table="", comment=None, identity=None)


def _unprinted(key: Key) -> Attributes:
    """The attributes that are no part of a fingerprint."""
    return _OF_PARTITION if key.kind == "partition" else ON_DEMAND


# The catalog of an empty schema.
NOTHING = Catalog({})


@dataclass(frozen=True)
class Difference:
    """One attribute, or a whole object where `attribute` is None, that is not as expected.

    Of a missing object `found` is None, of an unexpected one `expected` is.
    """

    kind: str
    name: str
    attribute: Attribute | Literal["column order"] | None
    expected: Value | SchemaObject
    found: Value | SchemaObject

    @property
    def word(self) -> Literal["missing", "unexpected", "changed"]:
        """The state of the object: missing, unexpected or changed."""
        if self.attribute is not None:
            return "changed"
        return "missing" if self.found is None else "unexpected"

    def __str__(self) -> str:
        if self.attribute is None:
            return f"{self.word} {self.kind} {self.name}"
        return (
            f"changed {self.attribute} of {self.kind} {self.name}: "
            f"expected {_shown(self.expected)}, found {_shown(self.found)}"
        )


def difference(
    expected: Catalog, found: Catalog, *, column_order: bool = False
) -> list[Difference]:
    """Every place where `found` differs from `expected`, by kind and name.

    The order of columns is compared on request: no statement restores it.
    """
    differences: list[Difference] = []
    for key in sorted({*expected.objects, *found.objects}):
        ours, theirs = expected.objects.get(key), found.objects.get(key)
        if ours is None or theirs is None:
            differences.append(Difference(*key, None, ours, theirs))
        elif names := ours.differing(theirs):
            before, after = ours.attributes(), theirs.attributes()
            differences.extend(
                Difference(*key, name, before.get(name), after.get(name)) for name in sorted(names)
            )
    for schema in sorted({*expected.others, *found.others}):
        pair = (each.others.get(schema, NOTHING) for each in (expected, found))
        differences.extend(
            replace(each, name=f"{schema}.{each.name}")
            for each in difference(*pair, column_order=column_order)
        )
    if column_order:
        differences.extend(
            Difference("table", table, "column order", order, found.column_order[table])
            for table, order in sorted(expected.column_order.items())
            if found.column_order.get(table, order) != order
        )
    return differences


def with_text(item: Kind, old: str, new: str) -> Kind:
    """The object with a text replaced in each of its attributes."""
    changed: dict[str, Any] = {}
    for each in fields(item):
        value = getattr(item, each.name)
        if isinstance(value, tuple):
            changed[each.name] = tuple(text.replace(old, new) for text in value)
        elif isinstance(value, str):
            changed[each.name] = value.replace(old, new)
    return replace(item, **changed)


def _shown(value: Value | SchemaObject) -> str:
    if isinstance(value, tuple):
        return "(" + ", ".join(value) + ")"
    return "nothing" if value is None else str(value)
