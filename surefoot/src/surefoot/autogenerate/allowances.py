"""Allowances for rules that PostgreSQL or the models make a revision break.

A rule about the design of a schema asks for another schema. Autogenerate writes the schema that the
models declare, and writes an `# allow` comment with that reason for the reviewer.
"""

from collections.abc import Iterable, Mapping

from surefoot.autogenerate.change import Allowance
from surefoot.rules.findings import Finding
from surefoot.rules.registry import RULES

# Rules about the design of a schema.
_DESIGN = frozenset(
    {
        "avoid-char-column",
        "avoid-domain-with-constraint",
        "avoid-json-column",
        "avoid-length-limit",
        "avoid-serial-key",
        "avoid-small-integer-key",
        "avoid-timestamp-without-time-zone",
        "require-index-for-foreign-key",
    }
)
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


def unavoidable(change: str, *names: str) -> tuple[Allowance, ...]:
    """The allowance for a change of `_REASONS`."""
    rule, reason = _REASONS[change]
    return (Allowance(rule, reason.format(*names)),)


def merged(allowances: Iterable[Allowance]) -> list[Allowance]:
    """One allowance for each rule, with all its reasons."""
    reasons: dict[str, dict[str, None]] = {}
    for rule, reason in allowances:
        reasons.setdefault(rule, {})[reason] = None
    return [Allowance(rule, "; ".join(reasons[rule])) for rule in sorted(reasons)]


def as_declared(findings: Iterable[Finding]) -> list[Allowance]:
    """The allowances for the rules about design that a revision was found to break."""
    broken = sorted({each.rule for each in findings} & _DESIGN)
    return [Allowance(each, f"the models declare {_lower(RULES[each].title)}") for each in broken]


def _lower(title: str) -> str:
    return title[:1].lower() + title[1:]
