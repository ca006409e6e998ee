"""Changes domains that columns use, through states that block writers as little as possible.

PostgreSQL scans the tables of these columns when a constraint of a domain is added, and blocks
writers. A check is added NOT VALID and then validated. NOT NULL of a domain has no NOT VALID: it
comes last, in a revision of its own.
"""

from collections.abc import Iterator
from dataclasses import replace

from surefoot.autogenerate.change import Change, Stage, Turn
from surefoot.autogenerate.comparison import Comparison
from surefoot.autogenerate.object_operations import step
from surefoot.catalog import Key, alterations
from surefoot.catalog.definitions import check_name
from surefoot.catalog.kinds import Column, Domain

_LOOSE = " NOT VALID"


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


def domain_changes(change: Change, key: Key, comparison: Comparison) -> Iterator[Change]:
    """A new or changed domain, step by step where columns use it."""
    after = comparison.models.one(Domain, key)
    before = comparison.database.one(Domain, key) if change.action == "change" else None
    used = tables_of(comparison, key)
    if not used or (before is None and not after.is_constrained):
        yield change
        return
    wanted, there = set(after.checks or ()), before.checks or () if before else ()
    kept = tuple(each for each in there if {each, each.removesuffix(_LOOSE)} & wanted)
    not_null = before is not None and before.not_null and after.not_null
    # With constraints, adding a column would rewrite the table.
    comment = before.comment if before else after.comment
    state = replace(after, not_null=not_null, checks=kept or None, comment=comment)
    if before is None:
        yield step(change.stage, key, None, state, "begin")
    elif before != state:
        yield step(change.stage, key, before, state, "change")
    turn, tables = Turn.MAIN if before else Turn.KEYS, ", ".join(used)
    for check in alterations.added_checks(state, after):
        name = check_name(check)
        unproven = f"{check.removesuffix(_LOOSE)}{_LOOSE}"
        others = tuple(each for each in state.checks or () if each != unproven)
        loose, valid = (replace(state, checks=(*others, each)) for each in (unproven, check))
        if unproven not in (state.checks or ()):
            promise = step(Stage.CREATE, key, state, loose, "promise")
            yield promise.at(turn, "", f"Add {name} to {key.name}")
        about = (
            f"Scans {tables} and blocks writes meanwhile: the check of a domain is validated in no "
            "other way."
        )
        proof = step(Stage.STATE, key, loose, valid, "validate")
        if check != unproven:
            yield proof.at(Turn.VALIDATE, key.name, f"Validate {name} of {key.name}", about)
        state = valid
    if after.not_null and not state.not_null:
        about = (
            f"Before this runs: deploy a release that writes a value in every row of {tables}, and "
            "backfill the rows that have none, in batches and outside of a revision."
        )
        forbid = step(Stage.STATE, key, state, replace(state, not_null=True), "required")
        yield forbid.at(Turn.REQUIRE, key.name, f"Forbid null in {key.name}", about)
