"""Allowances for rules that PostgreSQL or the models make a revision break.

A rule about the design of a schema asks for another schema. Autogenerate writes the schema that the
models declare, and writes an `# allow` comment with that reason for the reviewer.
"""

from collections.abc import Iterable

from surefoot.autogenerate.change import Allowance
from surefoot.rules.findings import Finding
from surefoot.rules.registry import RULES

# Rules about the design of a schema.
_DESIGN = frozenset({
    "avoid-char-column", "avoid-domain-with-constraint", "avoid-json-column",
    "avoid-length-limit", "avoid-serial-key", "avoid-small-integer-key",
    "avoid-timestamp-without-time-zone", "require-index-for-foreign-key",
})  # fmt: skip
_WINDOW = "check the size of the table, and run this while nobody uses it"
# Why a rule cannot be kept.
_REASONS = {
    "avoid-stored-generated-column": "PostgreSQL can add a stored column only by a rewrite; "
    f"{_WINDOW}, or declare it virtual (PostgreSQL 18)",
    "avoid-identity-column": f"adding the column numbers every row, which is a rewrite; {_WINDOW}",
    "avoid-exclusion-constraint": "PostgreSQL builds its index only under ACCESS EXCLUSIVE, and "
    f"cannot use an existing one; {_WINDOW}",
    # Of a column, or of all columns of an enum.
    "avoid-type-change": "a dependent object prevents a swap of columns, so the table is "
    f"rewritten; {_WINDOW}",
    "avoid-renaming-an-enum-value": "a value has one name at a time; the old release is replaced "
    "as this runs",
    "require-not-valid-domain-check": "PostgreSQL has no NOT VALID for the NOT NULL of a domain, "
    f"and blocks writes during the scan; {_WINDOW}",
    # A column of a domain with constraints.
    "avoid-column-of-constrained-domain": "PostgreSQL rewrites the table to check whether the "
    f"domain accepts null; {_WINDOW}",
    # A sequence that is named after its table or column.
    "avoid-renaming": "releases use the sequence only through its column",
    "avoid-reference-with-its-column": "before PostgreSQL 18 a foreign key of a partitioned table "
    "cannot be added NOT VALID; the new table is empty, so the lock is short",
}


def unavoidable(rule: str) -> tuple[Allowance, ...]:
    """The allowance for a rule that a change cannot keep."""
    return (Allowance(rule, _REASONS[rule]),)


def merged(allowances: Iterable[Allowance]) -> list[Allowance]:
    """One allowance for each rule, with all its reasons."""
    reasons: dict[str, dict[str, None]] = {}
    for rule, reason in allowances:
        reasons.setdefault(rule, {})[reason] = None
    return [Allowance(rule, "; ".join(reasons[rule])) for rule in sorted(reasons)]


def as_declared(findings: Iterable[Finding]) -> list[Allowance]:
    """The allowances for the rules about design that a revision was found to break."""
    broken = sorted({each.rule for each in findings} & _DESIGN)
    titles = {each: RULES[each].title for each in broken}
    return [
        Allowance(each, f"the models declare {of[:1].lower()}{of[1:]}")
        for each, of in titles.items()
    ]
