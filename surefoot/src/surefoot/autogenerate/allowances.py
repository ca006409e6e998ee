"""Rules that a revision breaks because the models say so: which, and the reason that it gives.

A rule about the design of a schema asks for another schema. Autogenerate writes the schema that the
models declare, so it names what they declare in the file, where whoever reviews it reads it.
"""

from __future__ import annotations

from collections import abc
from collections.abc import Iterable, Iterator, Mapping

from alembic.operations import MigrateOperation, ops
from sqlalchemy import ForeignKeyConstraint

from surefoot.autogenerate import no_other_way, object_operations
from surefoot.autogenerate.comparison import Comparison
from surefoot.autogenerate.facts import Fact
from surefoot.autogenerate.indexes import leading_columns
from surefoot.autogenerate.parts import Allowance
from surefoot.autogenerate.steps import Stage, Step
from surefoot.catalog.kinds import Column, Constraint, Domain, Index, Sequence, Table

_BY_TYPE: Mapping[str, str] = {
    "json": "avoid-json-column",
    "timestamp without time zone": "avoid-timestamp-without-time-zone",
    "character": "avoid-char-column",
    "bpchar": "avoid-char-column",
}
# A rule, and what the models declare that it is broken by.
Said = tuple[str, str]
_SMALL = ("integer", "smallint")
_MADE = ("make", "remake", "promise")


def merged(allowances: Iterable[Allowance]) -> list[Allowance]:
    """One for each rule, with all its reasons."""
    reasons: dict[str, dict[str, None]] = {}
    for rule, reason in allowances:
        reasons.setdefault(rule, {})[reason] = None
    return [Allowance(rule, "; ".join(reasons[rule])) for rule in sorted(reasons)]


def declared_so(
    steps: Iterable[MigrateOperation], facts: Iterable[Fact], comparison: Comparison
) -> Iterator[Allowance]:
    """What the rules of design find in a revision, as the models' decisions."""
    steps = list(steps)
    found = [said for fact in facts for said in _of_fact(fact, comparison)]
    for step in steps:
        for table, columns in _references(step, comparison):
            found += _unindexed(comparison, table, columns)
        yield from _inline(step, comparison)
    yield from as_declared(found)


def as_declared(found: Iterable[Said]) -> Iterator[Allowance]:
    """One allowance a rule, in the models' name."""
    said: dict[str, dict[str, None]] = {}
    for rule, what in found:
        said.setdefault(rule, {})[what] = None
    for rule, items in said.items():
        yield Allowance(rule, f"the models declare {', '.join(items)}")


def of_column(name: str, column: Column, *, added: bool = True) -> Iterator[Said]:
    """What is found in a column of this type: added, or given the type."""
    kind = column.type
    base = kind.partition("(")[0]
    if kind.startswith("timestamp") and kind.endswith("without time zone"):
        base = "timestamp without time zone"
    if added and base in _BY_TYPE:
        yield _BY_TYPE[base], f"{name} as {kind}"
    if base == "character varying" and kind != base:
        yield "avoid-length-limit", f"{name} as {kind}"


def _of_fact(fact: Fact, comparison: Comparison) -> Iterator[Said]:
    after = fact.after
    if isinstance(after, Column) and fact.word in ("make", "remake", "retype"):
        yield from of_column(fact.key.name, after, added=fact.word != "retype")
        if fact.word == "make":
            yield from _serial(comparison, fact.key.name, after)
    elif isinstance(after, Table) and fact.word == "make":
        yield from _of_table(comparison, fact.key.name)
    elif isinstance(after, Domain) and fact.word == "make" and after.is_constrained:
        yield "avoid-domain-with-constraint", f"{fact.key.name} as a domain with a constraint"


def _of_table(comparison: Comparison, table: str) -> Iterator[Said]:
    columns = comparison.models.of_table(Column, table)
    for name, column in columns.items():
        yield from of_column(f"{table}.{name}", column)
        yield from _serial(comparison, f"{table}.{name}", column)
    for constraint in comparison.models.of_table(Constraint, table).values():
        if constraint.type != "primary key":
            continue
        key = leading_columns(constraint)
        if len(key) == 1 and columns[key[0]].type in _SMALL:
            kind = columns[key[0]].type
            yield "avoid-small-integer-key", f"{table}.{key[0]} as {kind}"


def _serial(comparison: Comparison, name: str, column: Column) -> Iterator[Said]:
    owned = any(each.owned_by == name for _, each in comparison.models.each(Sequence))
    if owned and (column.default or "").startswith("nextval("):
        yield "avoid-serial-key", f"{name} as serial"


def _unindexed(comparison: Comparison, table: str, columns: Iterable[str]) -> Iterator[Said]:
    wanted = list(columns)
    if not wanted:
        return
    indexes: list[Index | Constraint] = [
        *comparison.models.of_table(Index, table).values(),
        *comparison.models.of_table(Constraint, table).values(),
    ]
    if not any(set(leading_columns(each)[: len(wanted)]) == set(wanted) for each in indexes):
        named = f"{table}.{wanted[0]}" if len(wanted) == 1 else f"{table} ({', '.join(wanted)})"
        yield "require-index-for-foreign-key", f"no index on {named}"


def _inline(step: MigrateOperation, comparison: Comparison) -> Iterator[Allowance]:
    """References to a table in use that are made together with their own."""
    for operation in step.ops if isinstance(step, Step) else ():
        if isinstance(operation, ops.CreateTableOp) and operation.schema is None:
            referred = {
                item.referred_table.name
                for item in operation.columns
                if isinstance(item, ForeignKeyConstraint)
            }
            if referred & comparison.kept_tables:
                yield from no_other_way.partitioned(operation.table_name)


def _references(
    step: MigrateOperation, comparison: Comparison
) -> Iterator[tuple[str, abc.Sequence[str]]]:
    """The foreign keys that a step makes: their tables, and the columns that refer."""
    if not isinstance(step, Step):
        return
    made = comparison.models.find(Constraint, step.key)
    if made is not None and step.word in _MADE and step.stage is not Stage.DROP:
        yield made.table, object_operations.referring_columns(made) or ()
    for operation in step.ops:
        if isinstance(operation, ops.CreateTableOp) and operation.schema is None:
            for item in operation.columns:
                if isinstance(item, ForeignKeyConstraint):
                    yield operation.table_name, item.column_keys
