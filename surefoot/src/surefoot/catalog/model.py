"""Catalog is comparable data; Difference is one place where two of them are not equal."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Literal, NamedTuple

Value = str | bool | None | tuple[str, ...]
Attributes = Mapping[str, Value]
_NOTHING: Mapping[str, Value] = MappingProxyType({})
# What no model says, so that revisions alone decide it.
UNDECLARED = frozenset(
    {
        "attribute options",
        "cluster index",
        "column comments",
        "compression",
        "enforcement",
        "firing",
        "index options",
        "index validity",
        "replica identity",
        "statistics",
        "storage",
        "target",
        "toast options",
    }
)
ON_DEMAND = frozenset({"owner", "privileges"})
UNDECLARED_KINDS = frozenset(
    {
        "collation",
        "event trigger",
        "extension",
        "operator",
        "operator class",
        "partition",
        "text search configuration",
        "text search dictionary",
    }
)


class Key(NamedTuple):
    """What names an object: its kind (`index`) and its name, with the table's where that owns it.

    A column, constraint, trigger, rule or policy is `table.name`, a function `name(types)`.
    """

    kind: str
    name: str


@dataclass(frozen=True)
class Catalog:
    """A schema as it was read. Equal catalogs mean that no object differs."""

    objects: Mapping[Key, Attributes]
    # PostgreSQL cannot move a column, so an order that differs is no difference to bring back.
    column_order: Mapping[str, tuple[str, ...]] = field(default_factory=dict, compare=False)
    # What an object needs to exist; it follows from the definitions.
    uses: Mapping[Key, frozenset[Key]] = field(default_factory=dict, compare=False)
    # The role that the owner of an object is left out for, where owners were read.
    owner: str | None = field(default=None, compare=False)

    def get(self, kind: str, name: str) -> Attributes | None:
        """The attributes of one object, or None where there is none of that name."""
        return self.objects.get(Key(kind, name))

    def of_kind(self, *kinds: str) -> Iterator[tuple[Key, Attributes]]:
        """The objects of these kinds, by kind and name."""
        return ((key, self.objects[key]) for key in sorted(self.objects) if key.kind in kinds)

    def of_table(self, kind: str, table: str) -> dict[str, Attributes]:
        """The objects of a kind that belong to a table, by their own name."""
        return {
            str(attributes["name"]): attributes
            for key, attributes in self.of_kind(kind)
            if attributes.get("table") == table
        }

    def users_of(self, *keys: Key) -> frozenset[Key]:
        """The objects that need one of these, directly or through another."""
        found: set[Key] = set()
        wanted = set(keys)
        while wanted:
            wanted = {user for user, used in self.uses.items() if used & wanted} - found
            found |= wanted
        return frozenset(found)

    def declarable(self, *, kinds: bool = True) -> Catalog:
        """The catalog without what no model says; of an object that is left, all that one does."""
        return replace(
            self,
            objects={
                key: frozen({n: v for n, v in attributes.items() if n not in UNDECLARED})
                for key, attributes in self.objects.items()
                if not kinds or key.kind not in UNDECLARED_KINDS
            },
        )

    def fingerprint(self) -> str:
        """The SHA-256 of the objects; the same on every supported server.

        What is read on demand does not count. Extensions do not either: what an operator installs
        beside a schema is no change of it, and one that goes takes along what stands on it.
        """
        listing = [
            [*key, sorted((n, v) for n, v in attributes.items() if n not in ON_DEMAND)]
            for key, attributes in sorted(self.objects.items())
            if key.kind != "extension"
        ]
        text = json.dumps(listing, ensure_ascii=False, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()


# The catalog of a schema in which nothing is.
NOTHING = Catalog({})


@dataclass(frozen=True)
class Difference:
    """One attribute, or a whole object where `attribute` is None, that is not as expected.

    Of a missing object `found` is None, of an unexpected one `expected` is.
    """

    kind: str
    name: str
    attribute: str | None
    expected: Value | Attributes
    found: Value | Attributes

    @property
    def word(self) -> Literal["missing", "unexpected", "changed"]:
        """What is the matter: missing, unexpected or changed."""
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
    """Every place where `found` is not as `expected`, by kind and name.

    The order of columns is compared on request: no statement brings it back.
    """
    differences: list[Difference] = []
    for key in sorted({*expected.objects, *found.objects}):
        ours, theirs = expected.objects.get(key), found.objects.get(key)
        if ours is None or theirs is None:
            differences.append(Difference(*key, None, ours, theirs))
            continue
        differences.extend(
            Difference(*key, name, ours.get(name), theirs.get(name))
            for name in sorted({*ours, *theirs})
            if ours.get(name) != theirs.get(name)
        )
    if column_order:
        differences.extend(
            Difference("table", table, "column order", order, found.column_order[table])
            for table, order in sorted(expected.column_order.items())
            if found.column_order.get(table, order) != order
        )
    return differences


def frozen(attributes: Mapping[str, Value]) -> Attributes:
    """The attributes, unchangeable."""
    return MappingProxyType(dict(attributes)) if attributes else _NOTHING


def _shown(value: Value | Attributes) -> str:
    if isinstance(value, tuple):
        return "(" + ", ".join(value) + ")"
    return "nothing" if value is None else str(value)
