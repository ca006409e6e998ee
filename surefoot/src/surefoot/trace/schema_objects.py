"""The objects of a schema and the activity of a session, as one row of a Snapshot each."""

from __future__ import annotations

from dataclasses import astuple, dataclass

from surefoot.quoting import qualified


@dataclass(frozen=True)
class Relation:
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

    @property
    def is_table(self) -> bool:
        return self.kind in "rp"

    @property
    def quoted(self) -> str:
        """Its qualified name, quoted for SQL."""
        return qualified(self.schema, self.name)

    @property
    def label(self) -> str:
        """Its name for messages, without the schema `public`."""
        return self.name if self.schema == "public" else f"{self.schema}.{self.name}"


@dataclass(frozen=True)
class Column:
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


@dataclass(frozen=True)
class Constraint:
    """A constraint of a table or a domain; NOT NULL is one from PostgreSQL 18 on."""

    oid: int
    name: str
    kind: str
    relation: int
    references: int
    validated: bool
    index: int
    columns: tuple[int, ...]
    type: int
    parent: int
    # The definition of a check.
    check: str | None


@dataclass(frozen=True)
class Index:
    """An index and its columns."""

    oid: int
    relation: int
    unique: bool
    primary: bool
    valid: bool
    columns: tuple[int, ...]
    partial: bool


@dataclass(frozen=True)
class Attached:
    """A trigger, a policy or a rule of a table."""

    oid: int
    relation: int
    name: str
    # Of a trigger.
    enabled: str = ""


@dataclass(frozen=True)
class Label:
    """A value of an enum."""

    oid: int
    type: int
    label: str


@dataclass(frozen=True)
class Named:
    """A type, a routine or a schema."""

    oid: int
    schema: str
    name: str
    kind: str = ""
    # Of a domain: whether it is NOT NULL, and its base type.
    required: bool = False
    base: str | None = None


@dataclass(frozen=True)
class Activity:
    """The scans of a table and its rows read and written, in this transaction."""

    relation: int
    scans: int = 0
    scanned: int = 0
    fetched: int = 0
    inserted: int = 0
    updated: int = 0
    deleted: int = 0

    def since(self, before: Activity | None) -> Activity:
        """The difference from an earlier Activity of the same transaction."""
        if before is None:
            return self
        counts = zip(astuple(self)[1:], astuple(before)[1:], strict=True)
        return Activity(self.relation, *(now - then for now, then in counts))
