"""Rules on the design of a schema: some are seen in the trace, some by squawk."""

import re
from collections.abc import Iterator
from functools import partial

from surefoot.rules.difference import at, differences
from surefoot.rules.findings import Detector, Hit, Rule, TracedRevision, on
from surefoot.rules.squawk import ASKED

# At the beginning, or in a block; GRANT of a role has no ON.
_ROLE = re.compile(
    r"\s*(?:DO\b.*\b)?(?:(?:CREATE|ALTER|DROP)\s+(?:ROLE|USER|GROUP|DATABASE)\b(?!\s+MAPPING)"
    r"|GRANT\s[^;]*\bON\s+PARAMETER\b|GRANT\s+(?:(?!\bON\b)[^;])+?\sTO\b)",
    re.IGNORECASE | re.DOTALL,
)
# It decides about its own tables.
_OF_EXTENSION = re.compile(r"\s*CREATE\s+EXTENSION\b", re.IGNORECASE)
# timestamp(0) with time zone
_SIZE = re.compile(r"\(.*?\)")
_Advice = partial(Rule, level="warning", seen="squawk")


def _said(*names: str) -> Detector:
    return lambda unit: (Hit.at(each.statement) for each in unit.remarks if each.rule in names)


def _settings(unit: TracedRevision) -> Iterator[Hit]:
    """Also those that a block or a function sets, which squawk does not read."""
    yield from _said(*ASKED)(unit)
    yield from (Hit.at(each) for each in unit.statements if _ROLE.match(each.sql))
    found = (its for its in differences(unit) if its.noun.startswith("settings"))
    yield from (Hit.at(its.statement) for its in found)


def _unvacuumed(unit: TracedRevision) -> Iterator[Hit]:
    return (
        at(its)
        for its in differences(unit)
        if "unvacuumed" in (its.now or ()) and its.gained("unvacuumed")
    )


def _limited(unit: TracedRevision) -> Iterator[Hit]:
    """Only a limit that is new; squawk also reports one that is raised."""
    for hit in _said("prefer-text-field")(unit):
        assert hit.statement is not None
        retyped = list(hit.statement.of("column_retyped", fresh=True))
        if not retyped or any("(" not in each.facts["former"] for each in retyped):
            yield hit


def _typed(*types: str) -> Detector:
    return on(
        "column_added",
        where=lambda s, e: (
            _SIZE.sub("", e.facts["type"]) in types and not _OF_EXTENSION.match(s.sql)
        ),
        fresh=True,
    )


def _small_keys(unit: TracedRevision) -> Iterator[Hit]:
    types = {
        (effect.relation, effect.name): effect.facts["type"]
        for _, effect in unit.effects("column_added", fresh=True)
    }
    for statement, effect in unit.effects("constraint_added", fresh=True):
        if _OF_EXTENSION.match(statement.sql):
            continue
        if effect.facts["kind"] == "p" and len(effect.facts["columns"]) == 1:
            (column,) = effect.facts["columns"]
            type_ = types.get((effect.relation, column))
            if type_ in ("integer", "smallint"):
                yield Hit.of(statement, effect, column=column, type=type_)


def _constrained_domain(unit: TracedRevision) -> Iterator[Hit]:
    """Only a domain with a constraint; squawk also reports one with a default."""
    for hit in _said("ban-create-domain-with-constraint")(unit):
        assert hit.statement is not None
        created = hit.statement.of("type_created", "constraint_added", fresh=True)
        if any(e.facts.get("required") or e.facts.get("domain") for e in created):
            yield hit


RULES = (
    Rule(
        id="avoid-json-column",
        title="A column of type json",
        consequence="{table}.{column} is json, which has no equality operator: DISTINCT, GROUP BY "
        "and UNION fail",
        help="use jsonb",
        rewrite='sa.Column("{column}", postgresql.JSONB())',
        page="datatype-json",
        detect=_typed("json"),
    ),
    Rule(
        id="avoid-small-integer-key",
        title="A primary key that can run out of values",
        consequence="{table}.{column} is {type}; when its values run out every INSERT fails, and a "
        "change to bigint rewrites the table",
        help="use bigint",
        rewrite='sa.Column("{column}", sa.BigInteger(), sa.Identity(always=True), nullable=False)',
        page="datatype-numeric",
        detect=_small_keys,
        level="warning",
    ),
    Rule(
        id="avoid-timestamp-without-time-zone",
        title="A timestamp without time zone",
        consequence="{table}.{column} is a timestamp without time zone: its meaning depends on the "
        "reader, and a later change rewrites the table",
        help="use timestamp with time zone",
        rewrite='sa.Column("{column}", sa.DateTime(timezone=True))',
        page="datatype-datetime",
        detect=_typed("timestamp without time zone", "timestamp"),
        level="warning",
    ),
    Rule(
        id="avoid-char-column",
        title="A blank-padded character column",
        consequence="{table}.{column} is {type}, which pads values with blanks; a later change "
        "rewrites the table",
        help="use text, with a check on its length if there is a limit",
        rewrite='sa.Column("{column}", sa.Text())',
        page="datatype-character",
        detect=_typed("character", "bpchar"),
        level="warning",
    ),
    _Advice(
        id="avoid-serial-key",
        title="A serial column",
        consequence="its sequence has its own owner and privileges, and INSERTs may set any number "
        "in the column",
        help="use an identity column",
        rewrite='sa.Column("{column}", sa.BigInteger(), sa.Identity(always=True))',
        page="ddl-identity-columns",
        detect=_said("prefer-identity"),
    ),
    _Advice(
        id="avoid-length-limit",
        title="A length limit in a column type",
        consequence="changing the limit takes ACCESS EXCLUSIVE, and reducing it scans the table",
        help="use text, with a check on its length if there is a limit",
        rewrite='sa.Column("{column}", sa.Text())',
        page="datatype-character",
        detect=_limited,
    ),
    _Advice(
        id="avoid-changing-role-settings",
        title="A role made, altered or dropped, or a database or the server altered",
        consequence="it is no part of this database: sessions of the running release may get other "
        "rights or settings, another database of the server has it already, and one elsewhere not",
        help="do it where the server is set up, and not in a revision",
        rewrite="# not in a revision",
        page="sql-alterrole",
        detect=_settings,
    ),
    Rule(
        id="avoid-disabling-autovacuum",
        title="A table that autovacuum leaves alone",
        consequence="autovacuum leaves {table} alone from now on: dead rows pile up, and queries "
        "are planned by old statistics",
        help="change its thresholds instead",
        rewrite='op.execute("ALTER TABLE {table:sql} SET (autovacuum_vacuum_scale_factor = 0.01)")',
        page="sql-createtable",
        detect=_unvacuumed,
        level="warning",
    ),
    _Advice(
        id="avoid-domain-with-constraint",
        title="A domain with a constraint",
        consequence="a later change of the constraint scans every table that uses the domain",
        help="use plain columns with a check each",
        rewrite='sa.CheckConstraint("condition", name="check")',
        page="sql-alterdomain",
        detect=_constrained_domain,
    ),
)
