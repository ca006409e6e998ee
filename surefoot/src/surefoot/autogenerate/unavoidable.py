"""Allowances for changes that PostgreSQL can make in one way only."""

from __future__ import annotations

from collections.abc import Sequence

from surefoot.autogenerate.revision_part import Allowance

_WINDOW = "check its size, and run this while nobody uses it"


def stored(table: str) -> tuple[Allowance, ...]:
    """A stored generated column."""
    reason = (
        f"PostgreSQL can add a stored column only by rewriting {table}; {_WINDOW}, or "
        "declare it virtual (PostgreSQL 18)"
    )
    return (Allowance("avoid-stored-generated-column", reason),)


def identity(table: str) -> tuple[Allowance, ...]:
    """An identity column."""
    reason = f"adding the column numbers every row of {table}, which rewrites it; {_WINDOW}"
    return (Allowance("avoid-identity-column", reason),)


def exclusion(table: str) -> tuple[Allowance, ...]:
    """An exclusion constraint."""
    reason = (
        f"PostgreSQL builds its index only under ACCESS EXCLUSIVE, and cannot use an existing one; "
        f"this scans {table}: {_WINDOW}"
    )
    return (Allowance("avoid-exclusion-constraint", reason),)


def enum(name: str, tables: Sequence[str]) -> tuple[Allowance, ...]:
    """An enum that loses or reorders values."""
    if not tables:
        return ()
    reason = (
        f"PostgreSQL removes no value from an enum, and an object that depends on {name} prevents "
        f"a swap of columns; this rewrites {', '.join(tables)}: {_WINDOW}"
    )
    return (Allowance("avoid-type-change", reason),)


def retyped(table: str) -> tuple[Allowance, ...]:
    """A retyped column with a dependent object that prevents a swap."""
    reason = (
        f"an object that depends on the column prevents a swap of columns; this rewrites {table}: "
        f"{_WINDOW}"
    )
    return (Allowance("avoid-type-change", reason),)


def value() -> tuple[Allowance, ...]:
    """A renamed value of an enum."""
    reason = "a value has one name at a time; the old release is replaced as this runs"
    return (Allowance("avoid-renaming-an-enum-value", reason),)


def domain(tables: Sequence[str]) -> tuple[Allowance, ...]:
    """NOT NULL of a domain."""
    reason = (
        "PostgreSQL has no NOT VALID for the NOT NULL of a domain; this scans "
        f"{', '.join(tables)} and blocks writes meanwhile: {_WINDOW}"
    )
    return (Allowance("require-not-valid-domain-check", reason),)


def checked(table: str) -> tuple[Allowance, ...]:
    """A column of a domain with constraints."""
    reason = f"PostgreSQL rewrites {table} to check whether the domain accepts null; {_WINDOW}"
    return (Allowance("avoid-volatile-default", reason),)


def sequence(name: str) -> tuple[Allowance, ...]:
    """A renamed sequence that is named after its table or column."""
    return (Allowance("avoid-renaming", f"releases use {name} only through its column"),)


def declared_rename(rule: str) -> tuple[Allowance, ...]:
    """A declared rename of a table or a column."""
    return (
        Allowance(rule, "the rename was declared; the releases are replaced at the same moment"),
    )


def partitioned(table: str) -> tuple[Allowance, ...]:
    """Foreign keys of a new partitioned table."""
    reason = (
        f"before PostgreSQL 18 a foreign key of a partitioned table cannot be added NOT VALID; "
        f"{table} is empty, so the lock is short"
    )
    return (Allowance("avoid-reference-with-its-column", reason),)
