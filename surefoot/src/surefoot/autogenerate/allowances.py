"""Allowances for rules that PostgreSQL or the models make a revision break.

A rule about the design of a schema asks for another schema. Autogenerate writes the schema that the
models declare, and writes an `# allow` comment with that reason for the reviewer.
"""

from collections import abc
from collections.abc import Iterable, Iterator, Mapping

from alembic.operations import MigrateOperation, ops
from sqlalchemy import ForeignKeyConstraint

from surefoot.autogenerate import object_operations
from surefoot.autogenerate.change import Allowance, Change, Stage
from surefoot.autogenerate.comparison import Comparison
from surefoot.autogenerate.indexes import leading_columns
from surefoot.autogenerate.transitions import Transition
from surefoot.catalog.kinds import Column, Constraint, Domain, Index, Sequence, Table

_BY_TYPE: Mapping[str, str] = {
    "json": "avoid-json-column",
    "timestamp without time zone": "avoid-timestamp-without-time-zone",
    "character": "avoid-char-column",
    "bpchar": "avoid-char-column",
}
_WINDOW = "check its size, and run this while nobody uses it"
# A rule and the reason to break it, by the change; {} is the name of a table or of another object.
_REASONS: Mapping[str, tuple[str, str]] = {
    "stored column": (
        "avoid-stored-generated-column",
        f"PostgreSQL can add a stored column only by rewriting {{}}; {_WINDOW}, or declare it "
        "virtual (PostgreSQL 18)",
    ),
    "identity": (
        "avoid-identity-column",
        f"adding the column numbers every row of {{}}, which rewrites it; {_WINDOW}",
    ),
    "exclusion": (
        "avoid-exclusion-constraint",
        "PostgreSQL builds its index only under ACCESS EXCLUSIVE, and cannot use an existing one; "
        f"this scans {{}}: {_WINDOW}",
    ),
    # An enum that loses or reorders values.
    "enum": (
        "avoid-type-change",
        "PostgreSQL removes no value from an enum, and an object that depends on {} prevents a "
        f"swap of columns; this rewrites {{}}: {_WINDOW}",
    ),
    # A column with a dependent object that prevents a swap.
    "type of a column": (
        "avoid-type-change",
        "an object that depends on the column prevents a swap of columns; this rewrites {}: "
        f"{_WINDOW}",
    ),
    "name of an enum value": (
        "avoid-renaming-an-enum-value",
        "a value has one name at a time; the old release is replaced as this runs",
    ),
    "required domain": (
        "require-not-valid-domain-check",
        "PostgreSQL has no NOT VALID for the NOT NULL of a domain; this scans {} and blocks "
        f"writes meanwhile: {_WINDOW}",
    ),
    # A column of a domain with constraints.
    "checked column": (
        "avoid-volatile-default",
        f"PostgreSQL rewrites {{}} to check whether the domain accepts null; {_WINDOW}",
    ),
    # A sequence that is named after its table or column.
    "name of a sequence": ("avoid-renaming", "releases use {} only through its column"),
    "reference of a partitioned table": (
        "avoid-reference-with-its-column",
        "before PostgreSQL 18 a foreign key of a partitioned table cannot be added NOT VALID; "
        "{} is empty, so the lock is short",
    ),
}
# A rule, and the declaration that breaks it.
Said = tuple[str, str]
_SMALL = ("integer", "smallint")
_MADE = ("make", "remake", "promise")


def unavoidable(change: str, *names: str) -> tuple[Allowance, ...]:
    """The allowance for a change of `_REASONS`."""
    rule, reason = _REASONS[change]
    return (Allowance(rule, reason.format(*names)),)


def merged(allowances: Iterable[Allowance]) -> list[Allowance]:
    """One allowance for each rule, with all its reasons."""
    reasons = _grouped(allowances)
    return [Allowance(rule, "; ".join(reasons[rule])) for rule in sorted(reasons)]


def declared_so(
    changes: Iterable[MigrateOperation], transitions: Iterable[Transition], comparison: Comparison
) -> Iterator[Allowance]:
    """Allowances for the design rules that a revision breaks."""
    found = [said for transition in transitions for said in _of_transition(transition, comparison)]
    for change in changes:
        if isinstance(change, Change):
            for table, columns in _references(change, comparison):
                found += _unindexed(comparison, table, columns)
            yield from _inline(change, comparison)
    yield from as_declared(found)


def as_declared(found: Iterable[Said]) -> Iterator[Allowance]:
    """One allowance for each rule, with the declarations as the reason."""
    for rule, items in _grouped(found).items():
        yield Allowance(rule, f"the models declare {', '.join(items)}")


def _grouped(pairs: Iterable[tuple[str, str]]) -> dict[str, dict[str, None]]:
    grouped: dict[str, dict[str, None]] = {}
    for rule, text in pairs:
        grouped.setdefault(rule, {})[text] = None
    return grouped


def of_column(name: str, column: Column, *, added: bool = True) -> Iterator[Said]:
    """The rules that the type of a column breaks; some hold for added columns only."""
    kind = column.type
    base = kind.partition("(")[0]
    if kind.startswith("timestamp") and kind.endswith("without time zone"):
        base = "timestamp without time zone"
    if added and base in _BY_TYPE:
        yield _BY_TYPE[base], f"{name} as {kind}"
    if base == "character varying" and kind != base:
        yield "avoid-length-limit", f"{name} as {kind}"


def _of_transition(transition: Transition, comparison: Comparison) -> Iterator[Said]:
    after, action, name = transition.after, transition.action, transition.key.name
    if isinstance(after, Column) and action in ("make", "remake", "retype"):
        yield from of_column(name, after, added=action != "retype")
        if action == "make":
            yield from _serial(comparison, name, after)
    elif isinstance(after, Table) and action == "make":
        yield from _of_table(comparison, name)
    elif isinstance(after, Domain) and action == "make" and after.is_constrained:
        yield "avoid-domain-with-constraint", f"{name} as a domain with a constraint"


def _of_table(comparison: Comparison, table: str) -> Iterator[Said]:
    columns = comparison.models.of_table(Column, table)
    for name, column in columns.items():
        yield from of_column(f"{table}.{name}", column)
        yield from _serial(comparison, f"{table}.{name}", column)
    for constraint in comparison.models.of_table(Constraint, table).values():
        key = leading_columns(constraint) if constraint.type == "primary key" else []
        if len(key) == 1 and (kind := columns[key[0]].type) in _SMALL:
            yield "avoid-small-integer-key", f"{table}.{key[0]} as {kind}"


def _serial(comparison: Comparison, name: str, column: Column) -> Iterator[Said]:
    owned = any(each.owned_by == name for _, each in comparison.models.each(Sequence))
    if owned and (column.default or "").startswith("nextval("):
        yield "avoid-serial-key", f"{name} as serial"


def _unindexed(comparison: Comparison, table: str, columns: abc.Sequence[str]) -> Iterator[Said]:
    of_table, count = comparison.models.of_table, len(columns)
    known: list[Index | Constraint] = list(of_table(Index, table).values())
    known += of_table(Constraint, table).values()
    if not any(set(leading_columns(each)[:count]) == set(columns) for each in known):
        named = f"{table}.{columns[0]}" if count == 1 else f"{table} ({', '.join(columns)})"
        yield "require-index-for-foreign-key", f"no index on {named}"


def _created(change: Change) -> Iterator[tuple[str, ForeignKeyConstraint]]:
    """The foreign keys that are created with their table."""
    for operation in change.ops:
        if isinstance(operation, ops.CreateTableOp) and operation.schema is None:
            for item in operation.columns:
                if isinstance(item, ForeignKeyConstraint):
                    yield operation.table_name, item


def _inline(change: Change, comparison: Comparison) -> Iterator[Allowance]:
    """Foreign keys to a table in use that are created with their own table."""
    for table, item in _created(change):
        if item.referred_table.name in comparison.kept_tables:
            yield from unavoidable("reference of a partitioned table", table)


def _references(change: Change, comparison: Comparison) -> Iterator[tuple[str, abc.Sequence[str]]]:
    """The foreign keys that a change creates: their tables and their columns."""
    made = comparison.models.find(Constraint, change.key)
    if made is not None and change.action in _MADE and change.stage is not Stage.DROP:
        columns = object_operations.referring_columns(made)
        if columns:
            yield made.table, columns
    for table, item in _created(change):
        yield table, item.column_keys
