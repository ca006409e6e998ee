"""Changes domains that columns use, and the values of enums.

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
from surefoot.autogenerate.objects import ObjectDiff, object_changes, spread
from surefoot.autogenerate.rendering import Note, sql
from surefoot.autogenerate.tables import table_changes
from surefoot.autogenerate.type_change import columns_of
from surefoot.catalog import Key, alterations
from surefoot.catalog.definitions import check_name
from surefoot.catalog.kinds import Column, Domain, Enum
from surefoot.operations.enums import RenameEnumValueOp, ReplaceEnumOp, value_steps
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
        # What the other parts add is dropped by then.
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


def enum_changes(comparison: Comparison, diff: ObjectDiff) -> list[Change]:
    """The changes that give the enums the values of the models."""
    in_place = {key for key in diff.in_place if key.kind == "enum"}
    changed = sorted(in_place | diff.replaced | diff.swapped)
    return [change for key in changed for change in _change_values(comparison, diff, key)]


def _change_values(comparison: Comparison, diff: ObjectDiff, key: Key) -> list[Change]:
    old = comparison.database.one(Enum, key).values
    new = comparison.models.one(Enum, key).values
    if old == new:
        return []
    steps = value_steps(key.name, old, new)
    rename = steps[0] if steps else None
    if isinstance(rename, RenameEnumValueOp):
        note = Note(
            f"Written as a rename because only one value differs, at the same place. "
            f"If {rename.old} is removed and {rename.new} is new, use "
            f"op.replace_enum({key.name!r}, ...) once no row has {rename.old}."
        )
        return [Change(Stage.TYPES, [note, rename], [rename.reverse()], "rename", key)]
    columns = used_by(comparison, key)
    back = ReplaceEnumOp(key.name, old, columns=columns)
    if steps is None:
        other = ReplaceEnumOp(key.name, new, columns=columns)
        word = "swap" if key in diff.swapped else "replace"
        return [Change(Stage.ENUMS, [other], [back], word, key)]
    aside, again = _around(comparison, key)
    return [Change(Stage.TYPES, steps, [*aside, back, *again], "add", key)]


def _around(
    comparison: Comparison, key: Key
) -> tuple[list[MigrateOperation], list[MigrateOperation]]:
    """The operations around the removal of a value: they drop and restore blocking objects."""
    there = (each for each in comparison.columns if each in comparison.database.objects)
    columns = {each: comparison.reflected(each) for each in there}
    as_it_was = replace(comparison, models=comparison.database, declared={}, columns=columns)
    diff = ObjectDiff(replaced={key})
    spread(as_it_was, diff)
    changes = [*table_changes(as_it_was, diff), *object_changes(as_it_was, diff)]
    changes.sort(key=lambda change: change.stage)
    return (
        [each for change in changes if change.stage < Stage.ENUMS for each in change.ops],
        [each for change in changes if change.stage > Stage.ENUMS for each in change.ops],
    )


def used_by(comparison: Comparison, key: Key) -> list[tuple[str, str]]:
    """The columns of the enum, by table and name."""
    of = (comparison.database.one(Column, column) for column in columns_of(comparison, key))
    return [(each.table, each.name) for each in of]
