"""Rules that a revision breaks because the models say so: which, and the reason that it gives.

A rule about the design of a schema asks for another schema. Autogenerate writes the schema that the
models declare, so it names what they declare in the file, where whoever reviews it reads it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from alembic.operations import MigrateOperation, ops
from sqlalchemy import ForeignKeyConstraint

from surefoot.autogenerate import no_other_way, wording
from surefoot.autogenerate.comparison import Comparison
from surefoot.autogenerate.definitions import leading_columns
from surefoot.autogenerate.domains import is_constrained
from surefoot.autogenerate.facts import Fact
from surefoot.autogenerate.parts import Allowance
from surefoot.autogenerate.steps import Stage, Step
from surefoot.catalog import Attributes, Key

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


def of_column(name: str, column: Attributes, *, added: bool = True) -> Iterator[Said]:
    """What is found in a column of this type: added, or given the type."""
    kind = str(column["type"])
    base = kind.partition("(")[0]
    if kind.startswith("timestamp") and kind.endswith("without time zone"):
        base = "timestamp without time zone"
    if added and base in _BY_TYPE:
        yield _BY_TYPE[base], f"{name} as {kind}"
    if base == "character varying" and kind != base:
        yield "avoid-length-limit", f"{name} as {kind}"


def _of_fact(fact: Fact, comparison: Comparison) -> Iterator[Said]:
    after = fact.after
    if after is None:
        return
    if fact.key.kind == "column" and fact.word in ("make", "remake", "retype"):
        if "type" in after:
            yield from of_column(fact.key.name, after, added=fact.word != "retype")
            if fact.word == "make":
                yield from _serial(comparison, fact.key.name, after)
    elif fact.key.kind == "table" and fact.word == "make":
        yield from _of_table(comparison, fact.key.name)
    elif fact.key.kind == "domain" and fact.word == "make" and is_constrained(after):
        yield "avoid-domain-with-constraint", f"{fact.key.name} as a domain with a constraint"


def _of_table(comparison: Comparison, table: str) -> Iterator[Said]:
    columns = comparison.models.of_table("column", table)
    for name, column in columns.items():
        yield from of_column(f"{table}.{name}", column)
        yield from _serial(comparison, f"{table}.{name}", column)
    for constraint in comparison.models.of_table("constraint", table).values():
        if constraint["type"] != "primary key":
            continue
        key = leading_columns(constraint)
        if len(key) == 1 and columns[key[0]]["type"] in _SMALL:
            kind = columns[key[0]]["type"]
            yield "avoid-small-integer-key", f"{table}.{key[0]} as {kind}"


def _serial(comparison: Comparison, name: str, column: Attributes) -> Iterator[Said]:
    owned = any(each["owned by"] == name for _, each in comparison.models.of_kind("sequence"))
    if owned and str(column["default"] or "").startswith("nextval("):
        yield "avoid-serial-key", f"{name} as serial"


def _unindexed(comparison: Comparison, table: str, columns: Iterable[str]) -> Iterator[Said]:
    wanted = list(columns)
    if not wanted:
        return
    indexes = [
        *comparison.models.of_table("index", table).values(),
        *comparison.models.of_table("constraint", table).values(),
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
) -> Iterator[tuple[str, Sequence[str]]]:
    """The foreign keys that a step makes: their tables, and the columns that refer."""
    if not isinstance(step, Step):
        return
    attributes = comparison.models.objects.get(step.key or Key("", ""), {})
    if "definition" in attributes and step.word in _MADE and step.stage is not Stage.DROP:
        yield str(attributes.get("table")), wording.referring_columns(attributes) or ()
    for operation in step.ops:
        if isinstance(operation, ops.CreateTableOp) and operation.schema is None:
            for item in operation.columns:
                if isinstance(item, ForeignKeyConstraint):
                    yield operation.table_name, item.column_keys
