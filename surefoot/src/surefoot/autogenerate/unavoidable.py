"""Allowances for changes that PostgreSQL can make in one way only."""

from __future__ import annotations

from collections.abc import Mapping

from surefoot.autogenerate.change import Allowance

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
