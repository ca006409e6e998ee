"""Changes domains that columns use.

PostgreSQL scans the tables of these columns when a constraint of a domain is added, and blocks
writers. A check is added NOT VALID and then validated. NOT NULL of a domain has no NOT VALID: it
comes last, in a revision of its own.
"""

from collections.abc import Iterator
from dataclasses import replace

from alembic.operations import MigrateOperation

from surefoot.autogenerate import object_operations
from surefoot.autogenerate.allowances import unavoidable
from surefoot.autogenerate.change import Change, RevisionPart, Stage, Turn
from surefoot.autogenerate.comparison import Comparison
from surefoot.autogenerate.rendering import sql
from surefoot.catalog import Key, alterations
from surefoot.catalog.definitions import check_name
from surefoot.catalog.kinds import Column, Domain
from surefoot.quoting import quoted


def checked_domain(comparison: Comparison, column: Key) -> bool:
    """Whether a new column has an existing domain with constraints, which null may break."""
    used = (comparison.database.find(Domain, key) for key in comparison.models.uses.get(column, ()))
    return any(domain is not None and domain.is_constrained for domain in used)


def tables_of(comparison: Comparison, domain: Key) -> list[str]:
    """The existing tables that have or get a column of the domain."""
    users = comparison.models.users_of(domain)
    columns = (comparison.models.find(Column, user) for user in users)
    tables = {column.table for column in columns if column is not None}
    return sorted(table for table in tables if comparison.is_in_use(table))


def made(change: Change, key: Key, comparison: Comparison) -> Iterator[RevisionPart]:
    """A new domain, first without constraints: with them, adding a column rewrites the table."""
    after = comparison.models.one(Domain, key)
    if not (after.is_constrained and tables_of(comparison, key)):
        yield RevisionPart(change, Turn.MAIN)
        return
    bare = replace(after, not_null=False, checks=None)
    create = object_operations.create(key, bare)
    yield RevisionPart(Change(change.stage, create, change.undo, "begin", key), Turn.MAIN)
    yield from _constrained(key, bare, after, comparison, Turn.KEYS)


def changed(change: Change, key: Key, comparison: Comparison) -> Iterator[RevisionPart]:
    """A changed domain that columns use."""
    before, after = comparison.database.one(Domain, key), comparison.models.one(Domain, key)
    if not tables_of(comparison, key):
        yield RevisionPart(change, Turn.MAIN)
        return
    if do := [sql(each) for each in alterations.relaxed_domain(before, after)]:
        # By then the constraints that the other parts add are dropped.
        loose = replace(
            after, checks=tuple(c for c in after.checks or () if c in (before.checks or ()))
        )
        undo = redefined(replace(loose, not_null=after.not_null and before.not_null), before)
        yield RevisionPart(Change(change.stage, do, undo, "change", key), Turn.MAIN)
    yield from _constrained(key, before, after, comparison, Turn.MAIN)


def redefined(before: Domain, after: Domain) -> list[MigrateOperation]:
    """The statements that take a domain from one definition to another."""
    return [sql(each) for each in alterations.domain(before, after)]


def _constrained(
    key: Key, before: Domain, after: Domain, comparison: Comparison, turn: Turn
) -> Iterator[RevisionPart]:
    domain = f"ALTER DOMAIN {quoted(after.name)}"
    tables = ", ".join(tables_of(comparison, key))
    for check in alterations.added_checks(before, after):
        name = check_name(check)
        add = sql(f"{domain} ADD CONSTRAINT {check} NOT VALID")
        drop = sql(f"{domain} DROP CONSTRAINT {name}")
        promise = Change(Stage.CREATE, [add], [drop], "promise", key)
        yield RevisionPart(promise, turn, "", f"Add {name} to {key.name}")
        prove = sql(f"{domain} VALIDATE CONSTRAINT {name}")
        change = Change(Stage.STATE, [prove], [drop, add], "validate", key)
        about = (
            f"Scans {tables} and blocks writes meanwhile: the check of a domain is validated in no "
            "other way."
        )
        title = f"Validate {name} of {key.name}"
        yield RevisionPart(change, Turn.VALIDATE, key.name, title, about)
    if after.not_null and not before.not_null:
        forbid, allow = sql(f"{domain} SET NOT NULL"), sql(f"{domain} DROP NOT NULL")
        change = Change(Stage.STATE, [forbid], [allow], "required", key)
        about = (
            f"Before this runs: deploy a release that writes a value in every row of {tables}, and "
            "backfill the rows that have none, in batches and outside of a revision."
        )
        why, title = unavoidable("require-not-valid-domain-check"), f"Forbid null in {key.name}"
        yield RevisionPart(change, Turn.REQUIRE, key.name, title, about, why)
