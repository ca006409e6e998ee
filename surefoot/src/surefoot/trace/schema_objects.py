"""The objects of a schema and the activity of a session, as one row of a Snapshot each.

They are tuples: a large schema has tens of thousands of them before and after each statement.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from surefoot.quoting import label, qualified


class Relation(NamedTuple):
    """A table, index, view, sequence: one row of pg_class."""

    oid: int
    schema: str
    name: str
    kind: str
    filenode: int
    persistence: str
    owner: int
    row_security: bool
    parents: tuple[int, ...]
    size_bytes: int
    # Whether the policies also apply to the owner.
    forced: bool
    # The replica identity.
    replica: str
    # `role privilege` each.
    rights: tuple[str, ...]
    # Of a sequence: maximum, minimum, increment, and whether it begins again after the last value.
    sequence: tuple[int, int, int, bool] | None
    # Of a sequence: the table whose column it belongs to.
    owned_by: int | None
    # Of a view: whether it reads with the rights of its caller.
    invoker: bool | None
    # Of a table: whether autovacuum leaves it or its large values alone.
    unvacuumed: bool | None
    # Of a view: which of UPDATE, INSERT and DELETE it accepts, as bits.
    accepts: int | None
    # Of a view: whether it refuses rows that it would not show.
    checked: bool | None
    # Of a materialized view: whether it can be read.
    populated: bool | None

    @property
    def is_table(self) -> bool:
        return self.kind in "rp"

    @property
    def quoted(self) -> str:
        """Its qualified name, quoted for SQL."""
        return qualified(self.schema, self.name)

    @property
    def label(self) -> str:
        """Its name for messages."""
        return label(self.schema, self.name)


class Column(NamedTuple):
    """A column of a table or a view."""

    relation: int
    number: int
    name: str
    type: str
    type_oid: int
    # None for the default collation.
    collation: str | None
    required: bool
    default: str | None
    identity: str
    generated: str
    # Rights on the column alone.
    rights: tuple[str, ...]
    # Whether a value has to fit into a page, although its type could be stored elsewhere.
    plain: bool | None

    @property
    def whole_type(self) -> str:
        """Its type, with its collation if that is not the default."""
        return self.type + (f' COLLATE "{self.collation}"' if self.collation else "")

    def has_other_type(self, other: Column) -> bool:
        """Whether its type is another one, which may have the name of the former."""
        return self.whole_type != other.whole_type or self.type_oid != other.type_oid


class Constraint(NamedTuple):
    """A constraint of a table or a domain; NOT NULL is one from PostgreSQL 18 on."""

    oid: int
    name: str
    kind: str
    relation: int
    references: int
    validated: bool
    index: int  # type: ignore[assignment]  # nobody asks a row where a value is
    columns: tuple[int, ...]
    type: int
    parent: int
    # The definition of a check.
    check: str | None
    deferrable: bool
    # False for NOT ENFORCED.
    enforced: bool
    # Whether its index compares by operators: that of EXCLUDE, or of a key WITHOUT OVERLAPS.
    excludes: bool


class Index(NamedTuple):
    """An index and its columns."""

    oid: int
    relation: int
    unique: bool
    primary: bool
    valid: bool
    columns: tuple[int, ...]
    partial: bool
    # Not so for a deferrable key, which ON CONFLICT does not accept.
    immediate: bool


class Provision(NamedTuple):
    """A function, trigger, policy, type: an object that a release relies on."""

    noun: str
    oid: int
    name: str
    # The table of a trigger, policy or rule; 0 where there is none.
    relation: int
    # The properties that decide whether a use of it still works.
    terms: Mapping[str, Any]


class Label(NamedTuple):
    """A value of an enum."""

    oid: int
    type: int
    label: str


class Named(NamedTuple):
    """A type, a routine or a schema."""

    oid: int
    schema: str
    name: str
    # Of a type; of a function that may change something, its language.
    kind: str = ""
    # Of a domain: whether it is NOT NULL, and its base type.
    required: bool = False
    base: str | None = None


class Activity(NamedTuple):
    """The scans of a table and its rows read and written, in this transaction."""

    relation: int
    scans: int = 0
    scanned: int = 0
    fetched: int = 0
    inserted: int = 0
    updated: int = 0
    deleted: int = 0
    # The scans of its indexes that are not unique, and of those that are.
    probes: int = 0
    keys: int = 0

    @property
    def written(self) -> int:
        """Its rows that were inserted, updated and deleted."""
        return self.inserted + self.updated + self.deleted

    @property
    def rows(self) -> int:
        """Its rows that were read and written."""
        return self.scanned + self.fetched + self.written

    def since(self, before: Activity | None) -> Activity:
        """The difference from an earlier Activity of the same transaction."""
        if before is None:
            return self
        counts = zip(self[1:], before[1:], strict=True)
        return Activity(self.relation, *(now - then for now, then in counts))
