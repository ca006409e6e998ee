"""Adds constraints to tables in use: NOT VALID, then validated; keys from an existing index.

NOT NULL is added in the same way.
"""

from collections.abc import Iterator
from dataclasses import replace
from itertools import count

from surefoot.autogenerate.change import PROVEN, WINDOW, Change, Stage, Turn, in_one
from surefoot.autogenerate.comparison import Comparison
from surefoot.autogenerate.drafts import Draft, required
from surefoot.autogenerate.indexes import attached, built, can_swap, index_of_key, swap_key
from surefoot.autogenerate.object_operations import joined, proof, refers_to, step
from surefoot.autogenerate.rendering import Call, Code
from surefoot.catalog import Key
from surefoot.catalog.kinds import Column, Constraint
from surefoot.quoting import own_name, quoted, short_name


def constraint_parts(change: Change, comparison: Comparison) -> Iterator[Change]:
    key, constraint = change.key, comparison.models.find(Constraint, change.key)
    if change.action != "validate" and change.stage in (Stage.DROP, Stage.CLEAN):
        if not can_swap(key, comparison):
            yield change.at(Turn.MAIN, about=_without(constraint))
        return
    assert constraint is not None
    name, table = constraint.name, constraint.table
    online = constraint.validated and comparison.is_online(table)
    in_use = online and comparison.is_in_use(table)
    # A foreign key of a new or a small table to a large one locks both.
    found = comparison.database.table(table)
    between = (
        constraint.validated
        and comparison.is_online(refers_to(constraint))
        and (found.kind == "table" if found else table in comparison.new_tables)
        and not comparison.is_online(table)
    )
    provable = between or (online and constraint.type == "check")
    provable |= in_use and constraint.type == "foreign key"
    change.about = told = _unfilled(constraint, comparison)
    if provable and change.action != "validate":
        loose = replace(constraint, validated=False)
        promise = step(change.stage, key, None, loose, "promise")
        yield promise.at(Turn.KEYS if between else Turn.MAIN, "", f"Add {name}", told)
    if provable or (online and change.action == "validate"):
        yield proof(key, constraint, table)
    elif not online:
        yield change
    elif not in_use or (index := index_of_key(constraint)) is None:
        about = f"The index of {name} is built under ACCESS EXCLUSIVE on {table}: {WINDOW}"
        if constraint.type == "foreign key":
            about = f"{name} is checked while writes to {table} wait: {WINDOW}"
        if key in comparison.database.objects:
            yield change.at(Turn.MAIN, about=about)  # in place of the old one
        else:
            yield change.at(Turn.REWRITE, key.name, f"Add {name}", about)
    elif can_swap(key, comparison):
        yield from swap_key(key, index, comparison)
    else:
        yield built(key, index, f"Build the index of {name}")
        about = "The index was built in an earlier revision: no row is read."
        attach = attached(change.stage, key, constraint, index)
        yield attach.at(Turn.KEYS, table, f"Create {name} from its index", about)


def _unfilled(constraint: Constraint, comparison: Comparison) -> str:
    """The warning for a foreign key of existing columns to a new table."""
    table = refers_to(constraint)
    known = joined(constraint).keys() <= comparison.database.objects.keys()
    if table not in comparison.new_tables or not known:
        return ""
    told = f"{table} is new: give it the rows that {constraint.table} refers to"
    return f"{told}, or {constraint.name} fails."


def _without(found: Constraint | None) -> str:
    """The warning for a key that one revision drops and another one creates again."""
    if found is None or found.type not in ("unique", "primary key"):
        return ""
    return f"Until {found.name} is created again, {found.table} accepts duplicate rows."


# The first major version of PostgreSQL that has NOT NULL … NOT VALID.
NOT_NULL_NOT_VALID = 18


def forbid_null(
    key: Key, comparison: Comparison, fills: Draft | None = None, kept: str = ""
) -> Iterator[Change]:
    """NOT NULL added NOT VALID and validated; older servers set it from a validated check.

    `fills` is the draft of the backfill before it, where the value of a row is known; `kept` says
    who writes new rows, where no release has to.
    """
    table, _, column = key.name.rpartition(".")
    do, undo = (Call("alter_column", table, column, nullable=Code(n)) for n in (False, True))
    if not comparison.is_online(table):
        change = Change(Stage.TABLES, [do], [undo], "not null", key)
        where = f"{table} has rows: none of them has a value in {key.name}"
        if key in comparison.database.objects:
            where = f"a row has no value in {key.name}"
        about = f"This fails where {where}."
        yield change.at(Turn.MAIN, about=about if table in comparison.kept_tables else "")
        return
    itself = promised_by_itself(comparison)
    check = f"CHECK ({quoted(column)} IS NOT NULL)"
    constraint = Constraint(
        name=not_null_name(key, comparison),
        table=table,
        type="not null" if itself else "check",
        definition=f"NOT NULL {quoted(column)}" if itself else check,
        validated=True,
        comment=None,
    )
    loose = replace(constraint, validated=False)
    writes = f"writes {key.name} in every row"
    if key in comparison.database.objects:
        writes = f"never writes null to {key.name}"
    about = f"Before this runs: deploy a release that {writes}, then fill the existing rows."
    if kept:
        about = f"{kept}Before this runs: fill the existing rows."
    wanted = comparison.models.find(Column, key)
    if is_computed := wanted is not None and wanted.generated is not None:
        about = f"Before this runs: change the rows for which {key.name} is computed as null."
    if itself:
        about += (
            f" This needs PostgreSQL {NOT_NULL_NOT_VALID}, the version of the database that the "
            "models were compared with; an older one refuses it."
        )
    promised = step(Stage.TABLES, key, None, loose, "promised")
    if not is_computed:
        of = fills or required(table, column, None, wanted.default if wanted else None)
        promised.fills = [of]
    if itself:
        # Once it has been dropped and set, the constraint has a name of PostgreSQL's own.
        promised.undo = [undo]
    yield promised.at(Turn.PROMISE, table, f"Forbid new nulls in {key.name}", about)
    title = f"Forbid null in {key.name}" if itself else f"Validate that {key.name} has no null"
    proven = step(Stage.TABLES, key, loose, constraint, "proven")
    if itself:
        proven.undo = [undo, *promised.ops]
    yield proven.at(Turn.PROVE, table, title, PROVEN)
    if not itself:
        away = step(Stage.TABLES, key, constraint, None, "drop")
        steps = [Change(Stage.TABLES, [do], [undo]), away]
        forbid = in_one(Stage.TABLES, steps, "required", key)
        about = "PostgreSQL relies on the validated check, and reads no row."
        yield forbid.at(Turn.REQUIRE, table, f"Forbid null in {key.name}", about)


def promised_by_itself(comparison: Comparison) -> bool:
    """Whether the server has NOT NULL … NOT VALID."""
    return comparison.major >= NOT_NULL_NOT_VALID


def not_null_name(key: Key, comparison: Comparison, *, instead: str | None = None) -> str:
    """A name for the constraint that forbids null in a column, which no constraint has.

    A constraint keeps its name where its column gets another one. The name of that which goes with
    the column `instead` becomes free.
    """
    table, _, column = key.name.rpartition(".")
    if not promised_by_itself(comparison):
        return short_name(f"ck_{own_name(table)}_{column}_not_null")
    taken = {name for each, name in comparison.not_nulls.items() if each != instead}
    taken |= {each.name for each in comparison.database.of_table(Constraint, table).values()}
    base = f"{own_name(table)}_{column}_not_null"
    names = (short_name(f"{base}{number or ''}") for number in count())
    return next(name for name in names if name not in taken)
