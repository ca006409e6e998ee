"""What PostgreSQL does in one way only: which rules that breaks, and what to know before."""

from __future__ import annotations

from collections.abc import Sequence

from surefoot.autogenerate.revision_part import Allowance

_WINDOW = "look at its size, and run this while nobody needs it"


def stored(table: str) -> tuple[Allowance, ...]:
    """A stored generated column."""
    reason = (
        f"PostgreSQL computes a stored column only by writing all of {table}; {_WINDOW}, or "
        "declare it virtual (PostgreSQL 18)"
    )
    return (Allowance("avoid-stored-generated-column", reason),)


def identity(table: str) -> tuple[Allowance, ...]:
    """A column that is numbered as it is added."""
    reason = f"every row of {table} gets its number as the column is added; {_WINDOW}"
    return (Allowance("avoid-identity-column", reason),)


def exclusion(table: str) -> tuple[Allowance, ...]:
    """An exclusion constraint."""
    reason = (
        f"PostgreSQL builds its index only under the lock, and takes none that is there; reads all "
        f"of {table}: {_WINDOW}"
    )
    return (Allowance("avoid-exclusion-constraint", reason),)


def enum(name: str, tables: Sequence[str]) -> tuple[Allowance, ...]:
    """An enum that loses a value, or whose values change their order."""
    if not tables:
        return ()
    reason = (
        f"PostgreSQL takes no value out of an enum, and more stands on {name} than can be made "
        f"beside it; all of {', '.join(tables)} is written for the new type: {_WINDOW}"
    )
    return (Allowance("avoid-type-change", reason),)


def retyped(table: str) -> tuple[Allowance, ...]:
    """A column on which something stands that would have to be exchanged with it."""
    reason = (
        f"more stands on the column than can be made beside it; all of {table} is written: "
        f"{_WINDOW}"
    )
    return (Allowance("avoid-type-change", reason),)


def value() -> tuple[Allowance, ...]:
    """A value of an enum under another name."""
    reason = (
        "PostgreSQL gives a value no second name; the release that knows the former one is "
        "replaced as this runs"
    )
    return (Allowance("avoid-renaming-an-enum-value", reason),)


def domain(tables: Sequence[str]) -> tuple[Allowance, ...]:
    """A domain that is to take no null."""
    reason = (
        "PostgreSQL has no NOT VALID for the NOT NULL of a domain; writers of "
        f"{', '.join(tables)} wait while all of it is read: {_WINDOW}"
    )
    return (Allowance("require-not-valid-domain-check", reason),)


def checked(table: str) -> tuple[Allowance, ...]:
    """A column of a domain that has constraints."""
    reason = (
        f"PostgreSQL writes all of {table} to ask the domain whether null is one of its values; "
        f"{_WINDOW}"
    )
    return (Allowance("avoid-volatile-default", reason),)


def sequence(name: str) -> tuple[Allowance, ...]:
    """A sequence that is named after its table or column."""
    return (Allowance("avoid-renaming", f"releases reach {name} by the column that it numbers"),)


def declared_rename(rule: str) -> tuple[Allowance, ...]:
    """A table or a column under another name, as the developer told."""
    return (Allowance(rule, "it was told as a rename; the releases change at the same moment"),)


def partitioned(table: str) -> tuple[Allowance, ...]:
    """References of a partitioned table."""
    reason = (
        f"before PostgreSQL 18 no reference of a partitioned table can be added NOT VALID; {table} "
        "is empty, so the lock is held for no longer than it takes to make it"
    )
    return (Allowance("avoid-reference-with-its-column", reason),)
