"""One frozen dataclass for each kind of object in a catalog.

A field is listed under its name with spaces. One with a default is listed only where it is set,
and no model declares it. Fingerprints are taken of it, so neither names nor defaults may change.
"""

from collections.abc import Collection, Mapping
from dataclasses import field, fields, replace
from typing import Any, Literal, TypeVar, cast

from surefoot.frozen import dataclass

Names = tuple[str, ...]
Value = str | bool | None | tuple[str, ...]
Attribute = Literal[
    "arguments", "attribute options", "bound", "checks", "cluster index", "collation",
    "column comments", "columns", "comment", "compression", "default", "definition", "enabled",
    "enforcement", "firing", "generated", "identity", "index options", "index validity",
    "inherits", "kind", "labels", "language", "name", "not null", "options", "owned by", "owner",
    "partition key", "persistence", "privileges", "replica identity", "returns", "row security",
    "statistics", "storage", "table", "target", "toast options", "type", "unique", "valid",
    "validated",
]  # fmt: skip
Attributes = frozenset[Attribute]
ON_DEMAND: Attributes = frozenset({"owner", "privileges"})
Kind = TypeVar("Kind", bound="SchemaObject")


@dataclass(frozen=True, kw_only=True)
class SchemaObject:
    """An object of a schema. Owner and privileges are read on demand."""

    name: str
    comment: str | None
    owner: str | None = None
    privileges: Names | None = None

    def attributes(self) -> dict[Attribute, Value]:
        """The attributes that are listed, with their values."""
        return {
            attribute: value
            for name, attribute, optional in _LISTED[type(self)]
            if (value := getattr(self, name)) is not None or not optional
        }

    def without(self: Kind, attributes: Collection[Attribute]) -> Kind:
        """The object with these attributes unset."""
        gone: Any = {each[0]: None for each in _LISTED[type(self)] if each[1] in attributes}
        return replace(self, **gone) if gone else self

    def differing(self: Kind, other: Kind) -> Attributes:
        """The attributes in which two objects differ; an unset one equals a missing one."""
        ours, theirs = self.attributes(), other.attributes()
        return frozenset(name for name in {*ours, *theirs} if ours.get(name) != theirs.get(name))


@dataclass(frozen=True, kw_only=True)
class TableObject(SchemaObject):
    """An object that belongs to a table or a view."""

    table: str


@dataclass(frozen=True, kw_only=True)
class Table(SchemaObject):
    """A table: ordinary, partitioned or foreign."""

    kind: str
    persistence: str
    partition_key: str | None
    inherits: Names | None
    options: Names | None
    row_security: str | None
    toast_options: Names | None = None
    cluster_index: str | None = None
    replica_identity: str | None = None


@dataclass(frozen=True, kw_only=True)
class Partition(TableObject):
    """A partition; its columns, constraints and indexes come from its parent, `table`."""

    bound: str
    comment: str | None = None
    options: Names | None = None
    partition_key: str | None = None


@dataclass(frozen=True, kw_only=True)
class Column(TableObject):
    """A column of a table."""

    type: str
    collation: str | None
    not_null: bool
    default: str | None
    generated: str | None
    identity: str | None
    storage: str | None = None
    compression: str | None = None
    statistics: str | None = None
    attribute_options: Names | None = None

    @property
    def has_own_value(self) -> bool:
        """Whether PostgreSQL gives the column a value where a statement names none."""
        return any(each is not None for each in (self.default, self.generated, self.identity))


@dataclass(frozen=True, kw_only=True)
class Constraint(TableObject):
    """A constraint of a table; `definition` leaves out NOT VALID."""

    type: str
    definition: str
    validated: bool
    index_validity: str | None = None
    index_options: Names | None = None
    enforcement: Names | None = None


@dataclass(frozen=True, kw_only=True)
class Index(TableObject):
    """An index that no constraint owns."""

    definition: str
    unique: bool
    valid: bool
    statistics: Names | None = None


@dataclass(frozen=True, kw_only=True)
class Sequence(SchemaObject):
    """A sequence that is no identity's; `owned_by` is `table.column`."""

    definition: str
    owned_by: str | None


@dataclass(frozen=True, kw_only=True)
class Enum(SchemaObject):
    """An enum with its values in order; None where it has none."""

    labels: Names | None

    @property
    def values(self) -> Names:
        return self.labels or ()


@dataclass(frozen=True, kw_only=True)
class Domain(SchemaObject):
    """A domain; each of `checks` is the constraint's name and its definition."""

    type: str
    collation: str | None
    not_null: bool
    default: str | None
    checks: Names | None

    @property
    def is_constrained(self) -> bool:
        """Whether the domain refuses a value of its type."""
        return self.not_null or bool(self.checks)


@dataclass(frozen=True, kw_only=True)
class Type(SchemaObject):
    """A composite type or a range type."""

    definition: str | None


@dataclass(frozen=True, kw_only=True)
class View(SchemaObject):
    """A view or a materialized view."""

    definition: str
    columns: Names | None
    options: Names | None
    column_comments: Names | None = None


@dataclass(frozen=True, kw_only=True)
class Routine(SchemaObject):
    """A function, a procedure or an aggregate."""

    definition: str
    arguments: str
    returns: str | None
    language: str


@dataclass(frozen=True, kw_only=True)
class Trigger(TableObject):
    """A trigger of a table or a view."""

    definition: str
    enabled: str


@dataclass(frozen=True, kw_only=True)
class Rule(TableObject):
    """A rule of a table or a view; `firing` is set where it differs from the default."""

    definition: str
    firing: str | None = None


@dataclass(frozen=True, kw_only=True)
class Policy(TableObject):
    """A row security policy."""

    definition: str


@dataclass(frozen=True, kw_only=True)
class Statistics(TableObject):
    """Extended statistics."""

    definition: str
    target: str | None = None


@dataclass(frozen=True, kw_only=True)
class Collation(SchemaObject):
    """A collation."""

    definition: str


@dataclass(frozen=True, kw_only=True)
class EventTrigger(SchemaObject):
    """An event trigger that calls a function of the schema."""

    definition: str
    enabled: str


@dataclass(frozen=True, kw_only=True)
class Extension(SchemaObject):
    """An extension of the database; an operator may have put it in another schema."""

    comment: str | None = None
    schema: str | None = field(default=None, compare=False)


@dataclass(frozen=True, kw_only=True)
class NamedObject(SchemaObject):
    """An operator, operator class, text search configuration or dictionary: name and comment."""


# Objects of later kinds may need those of earlier ones.
KINDS: Mapping[str, type[SchemaObject]] = {
    "extension": Extension,
    "collation": Collation,
    "text search dictionary": NamedObject,
    "text search configuration": NamedObject,
    "type": Type,
    "enum": Enum,
    "domain": Domain,
    "sequence": Sequence,
    "table": Table,
    "partition": Partition,
    "column": Column,
    "constraint": Constraint,
    "index": Index,
    "function": Routine,
    "procedure": Routine,
    "aggregate": Routine,
    "operator": NamedObject,
    "operator class": NamedObject,
    "materialized view": View,
    "view": View,
    "statistics": Statistics,
    "rule": Rule,
    "policy": Policy,
    "trigger": Trigger,
    "event trigger": EventTrigger,
}


def table_of(item: SchemaObject | None) -> str | None:
    """The table that an object belongs to, or None."""
    return item.table if isinstance(item, TableObject) else None


# The fields of a kind: name, attribute, and whether it is left out where it is None.
_LISTED: Mapping[type[SchemaObject], tuple[tuple[str, Attribute, bool], ...]] = {
    kind: tuple(
        (each.name, cast("Attribute", each.name.replace("_", " ")), each.default is None)
        for each in fields(kind)
        if each.compare
    )
    for kind in KINDS.values()
}
# Models declare none of these: revisions alone decide them. A partition is no part of a model.
UNDECLARED_KINDS = (Partition, Collation, EventTrigger, Extension, NamedObject)
_OPTIONAL = (each for kind in {*KINDS.values()} - {Partition} for each in _LISTED[kind] if each[2])
UNDECLARED: Attributes = frozenset(each[1] for each in _OPTIONAL) - {"comment"}
