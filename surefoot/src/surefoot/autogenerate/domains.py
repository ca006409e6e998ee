"""Changes domains that columns use, through states that block writers as little as possible.

PostgreSQL scans the tables of these columns when a constraint of a domain is added, and blocks
writers. A check is added NOT VALID and then validated. NOT NULL of a domain has no NOT VALID: it
comes last, in a revision of its own. It validates none of a domain that an array contains.
"""

from collections.abc import Iterator
from dataclasses import replace

from surefoot.autogenerate.change import Change, Stage, Turn
from surefoot.autogenerate.comparison import Comparison, is_replaced
from surefoot.autogenerate.drafts import Draft, required
from surefoot.autogenerate.naming import temporary_name
from surefoot.autogenerate.object_operations import step
from surefoot.autogenerate.rendering import ByHand
from surefoot.catalog import Key, SchemaObject, alterations
from surefoot.catalog.changes import in_place
from surefoot.catalog.definitions import check_name
from surefoot.catalog.kinds import Column, Domain

_LOOSE = " NOT VALID"


def checked_domain(comparison: Comparison, column: Key) -> bool:
    """Whether a new column has a domain with constraints by then, which null may break."""
    for key in comparison.models.needs(column):
        domain = comparison.database.find(Domain, key)
        # A new one that is contained is created with its constraints.
        if domain is None and key.kind == "domain" and container(comparison, key):
            domain = comparison.models.one(Domain, key)
        if domain and domain.is_constrained:
            return True
    return False


def container(comparison: Comparison, domain: Key) -> str | None:
    """A column of an array, or of another type, that contains the domain."""
    for catalog in (comparison.models, comparison.database):
        for key in sorted(catalog.users_of(domain)):
            needs, column = catalog.needs(key), catalog.find(Column, key)
            if column and (column.type.endswith("[]") or any(n.kind == "type" for n in needs)):
                return key.name
    return None


def tables_of(comparison: Comparison, domain: Key) -> list[str]:
    """The existing tables that have or get a column of the domain."""
    users = comparison.models.users_of(domain)
    columns = (comparison.models.find(Column, user) for user in users)
    tables = {column.table for column in columns if column is not None}
    return sorted(table for table in tables if comparison.is_in_use(table))


def domain_changes(change: Change, comparison: Comparison) -> Iterator[Change]:
    """A new or changed domain, step by step where columns use it."""
    key = change.key
    after = comparison.models.one(Domain, key)
    before = comparison.database.one(Domain, key) if change.action == "change" else None
    used, held = tables_of(comparison, key), container(comparison, key)
    if not used or (before is None and (held or not after.is_constrained)):
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
            f"Before this runs: deploy a release that writes a value in every row of {tables}, "
            "then fill the existing rows."
        )
        forbid = step(Stage.STATE, key, state, replace(state, not_null=True), "required")
        forbid.fills = list(_to_fill(comparison, key))
        yield forbid.at(Turn.REQUIRE, key.name, f"Forbid null in {key.name}", about)


def _to_fill(comparison: Comparison, domain: Key) -> Iterator[Draft]:
    """The columns that have the domain already, in tables whose rows are filled in batches."""
    for key, column in sorted(comparison.database.each(Column)):
        has_it = domain in comparison.database.needs(key) and not column.not_null
        stays = key in comparison.models.objects and not comparison.is_inherited(key)
        if has_it and stays and comparison.is_online(column.table):
            yield required(column.table, column.name, None)


def by_hand(comparison: Comparison, key: Key) -> ByHand | None:
    """The steps to another type that no statement gives its columns; None where one does."""
    if key.kind not in ("domain", "type", "enum"):
        return None
    said, database = f"the {key.kind} {key.name}", comparison.database
    before, after = database.objects[key], comparison.models.objects[key]
    different = before.differing(after) - {"comment"}
    over = sorted(each for each in database.users_of(key) if each.kind in ("domain", "type"))
    if key.kind == "enum":
        held = _held(comparison, *over) if is_replaced(database, comparison.models, key) else None
        why = f"{said} loses or moves values, and it is exchanged only where no column has it by "
        why += f"another type; {held} does"
    elif different and in_place(key, before, after, different) is None:
        held = _held(comparison, key)
        why = f"{said} differs in its {' and '.join(sorted(different))}, and PostgreSQL changes "
        why += f"that only where no column needs it; {held} does"
    else:
        held = container(comparison, key) if _is_stricter(before, after) else None
        why = f"the models declare a constraint of {key.name} that the database has not validated, "
        why += f"and PostgreSQL validates none while {held} contains the domain"
    if held is None:
        return None
    names = [each.name for each in (key, *over)]
    new, these = (" and ".join(each) for each in (map(temporary_name, names), names))
    return ByHand(
        why,
        f"In a revision, create {new}, and a new column beside each column of {these}.",
        "Deploy a release that writes both, and copy the older values in batches.",
        f"In a contract revision, drop these columns and {these}, and rename the new ones.",
    )


def _held(comparison: Comparison, *keys: Key) -> str | None:
    """A column that has one of these types."""
    users = sorted(comparison.database.users_of(*keys))
    return next((each.name for each in users if each.kind == "column"), None)


def _is_stricter(before: SchemaObject, after: SchemaObject) -> bool:
    """Whether a domain gets a constraint that the database has not validated."""
    if not isinstance(before, Domain) or not isinstance(after, Domain):
        return False
    kept = {each for each in before.checks or () if not each.endswith(_LOOSE)}
    return bool({*(after.checks or ())} - kept) or (after.not_null and not before.not_null)
