"""The planner orders the changes that the models need, and divides them into revisions.

    changes -> parts, each with its turn -> moved after what they need -> one revision for each turn
    and group, and another one for each further table that it would lock

It reads no database and no file.
"""

import itertools
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from surefoot.autogenerate.change import (
    Allowance,
    Change,
    RevisionPart,
    Stage,
    Turn,
)
from surefoot.autogenerate.comparison import Comparison
from surefoot.autogenerate.enums import enum_changes
from surefoot.autogenerate.lock_split import split_by_locks
from surefoot.autogenerate.objects import ObjectDiff, object_changes
from surefoot.autogenerate.online import Online
from surefoot.autogenerate.tables import table_changes
from surefoot.catalog import Key, SchemaObject
from surefoot.catalog.kinds import Constraint, table_of

_VERBS = {"make": "Add", "begin": "Add", "drop": "Drop", "rename": "Rename"}
_MADE = ("make", "remake", "promise", "attach")
# The groups of these turns are independent of each other.
_VALIDATING = (Turn.VALIDATE, Turn.PROMISE, Turn.PROVE, Turn.REQUIRE, Turn.LATE_VALIDATE)
_BY_GROUP = (*_VALIDATING, Turn.COLUMNS, Turn.TABLES)


@dataclass(frozen=True)
class RevisionPlan:
    """One revision: its changes, its own title, and the notes for its docstring."""

    changes: tuple[Change, ...]
    # None where the developer's message is the title.
    title: str | None
    about: tuple[str, ...] = ()
    allow: tuple[Allowance, ...] = ()


def changes_between(comparison: Comparison, diff: ObjectDiff) -> list[Change]:
    """The changes that make the database equal to the models, in the order of their stages."""
    changes = [
        *table_changes(comparison, diff),
        *object_changes(comparison, diff),
        *enum_changes(comparison, diff),
    ]
    return sorted(changes, key=lambda change: change.stage)


def plan(changes: Sequence[Change], comparison: Comparison, diff: ObjectDiff) -> list[RevisionPlan]:
    """The revisions of a change of the models."""
    if not changes:
        return []
    only_tables_renamed = all(
        change.action == "rename" and change.key is not None and change.key.kind != "column"
        for change in changes
    )
    online = Online(comparison, _moved(changes, diff), only_tables_renamed)
    parts = [part for change in changes for part in online.parts(change)]
    parts = _after_needs(_last(_before_needs(parts, comparison)), comparison)
    parts.sort(key=lambda part: (part.turn, part.group if part.turn in _BY_GROUP else ""))
    grouped = [
        revision
        for _, group in itertools.groupby(parts, lambda part: (part.turn, part.group))
        for revision in split_by_locks(group, comparison)
    ]
    named = _named(grouped)
    return [
        RevisionPlan(
            tuple(part.change for part in group),
            None if group is named else _title(group),
            tuple(dict.fromkeys(part.about for part in group if part.about)),
            tuple(dict.fromkeys(each for part in group for each in part.allow)),
        )
        for group in grouped
    ]


def _moved(changes: Iterable[Change], diff: ObjectDiff) -> Collection[Key]:
    """The objects that are recreated or retyped; objects that depend on them go first."""
    retyped = {
        change.key
        for change in changes
        if change.key and change.key.kind == "column" and change.action in ("retype", "swap")
    }
    recreated = {key for key in diff.recreated if key.kind not in ("index", "constraint")}
    return retyped | recreated | diff.recreated_columns | diff.freed_columns | diff.replaced


def _before_needs(parts: Sequence[RevisionPart], comparison: Comparison) -> list[RevisionPart]:
    """Moves a foreign key before the index that it needs, where both are dropped."""
    unindexed = {part.change.key for part in parts if part.turn is Turn.UNINDEX}
    dropped = (Turn.MAIN, Stage.DROP)
    return [
        part.at(Turn.BEFORE)
        if (part.turn, part.change.stage) == dropped
        and part.change.key is not None
        and comparison.database.uses.get(part.change.key, frozenset()) & unindexed
        else part
        for part in parts
    ]


def _last(parts: list[RevisionPart]) -> list[RevisionPart]:
    """Drops an object that no table needs any more together with its last user."""
    going = [(part.turn, part.group) for part in parts if part.turn >= Turn.CONTRACT]
    return [
        RevisionPart(part.change, *max(going))
        if going and part.change.stage is Stage.CLEAN
        else part
        for part in parts
    ]


def _after_needs(parts: list[RevisionPart], comparison: Comparison) -> list[RevisionPart]:
    """Moves each object after the objects that it needs."""
    ready: dict[Key, Turn] = {}
    indexed = {_table(part, comparison) for part in parts if part.turn is Turn.INDEX}
    required = {part.change.key for part in parts if part.turn is Turn.PROMISE}
    placed: list[RevisionPart] = []
    for part in parts:
        key, turn, word = part.change.key, part.turn, part.change.action
        if key is not None:
            constraint = comparison.models.find(Constraint, key)
            kind = None if constraint is None else constraint.type
            uses = comparison.models.uses.get(key, frozenset())
            late = word == "validate" and ready.get(key, turn) > turn
            if word == "promise" and kind == "foreign key":
                turn = Turn.KEYS if _table(part, comparison) in indexed else turn
            elif required.intersection(_demands(part, kind, uses)):
                turn = Turn.LATE_KEYS
            elif late or (word == "number" and key in required):
                turn = Turn.LATE_VALIDATE
            if word in _MADE and turn is not Turn.INDEX:
                # A column can have a domain whose checks come later.
                needs = () if key.kind == "column" else uses
                turn = max([turn, *(ready[used] for used in needs if used in ready)])
                ready[key] = turn
        placed.append(part.at(turn))
    return placed


def _demands(part: RevisionPart, kind: str | None, uses: frozenset[Key]) -> Collection[Key | None]:
    """The columns that must be NOT NULL first: of an identity, of a primary key."""
    if part.change.action == "identity":
        return {part.change.key}
    return uses if part.change.action == "attach" and kind == "primary key" else ()


def _table(part: RevisionPart, comparison: Comparison) -> str | None:
    return table_of(comparison.models.find(SchemaObject, part.change.key))


def _named(grouped: Sequence[Sequence[RevisionPart]]) -> Sequence[RevisionPart]:
    """The revision that gets the developer's message as its title."""
    for fits in (Turn.RENAME.__eq__, Turn.MAIN.__eq__, Turn.MAIN.__lt__):
        for group in grouped:
            if fits(group[0].turn):
                return group
    return grouped[0]


def _title(group: Sequence[RevisionPart]) -> str:
    first, *rest = dict.fromkeys(part.title or _said(part.change) for part in group)
    return ", ".join((first, *(title[:1].lower() + title[1:] for title in rest)))


def _said(change: Change) -> str:
    if change.key is None:
        return "Change a table"
    kind = "" if change.key.kind in ("table", "column") else f"the {change.key.kind} "
    return f"{_VERBS.get(change.action, 'Change')} {kind}{change.key.name}"
