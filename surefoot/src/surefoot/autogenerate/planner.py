"""From the steps of a change to the revisions that it becomes, in their order.

    steps -> parts, each at its turn -> lifted over what they need -> one revision a turn and group,
    and one more for each table that it locks

Nothing here looks at a database or a file.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from alembic.operations import ops

from surefoot.autogenerate.changes import Changes
from surefoot.autogenerate.comparison import Comparison
from surefoot.autogenerate.division import divided
from surefoot.autogenerate.facts import facts
from surefoot.autogenerate.online import Online
from surefoot.autogenerate.parts import Allowance, Part, Turn
from surefoot.autogenerate.spelling import RenameColumn
from surefoot.autogenerate.steps import Stage, Step
from surefoot.catalog import Key, SchemaObject
from surefoot.catalog.kinds import Constraint, table_of

_VERBS = {"make": "Add", "drop": "Drop", "rename": "Rename"}
_MADE = ("make", "remake", "promise", "attach")
# The groups of these need nothing of each other.
_BY_GROUP = (
    Turn.VALIDATE,
    Turn.PROMISE,
    Turn.PROVE,
    Turn.REQUIRE,
    Turn.LATE_VALIDATE,
    Turn.COLUMNS,
    Turn.TABLES,
)


@dataclass(frozen=True)
class Planned:
    """One revision: its steps, its own title, and what is to be said before it runs."""

    steps: tuple[Step, ...]
    # None where the developer's message is the title.
    title: str | None
    about: tuple[str, ...] = ()
    allow: tuple[Allowance, ...] = ()


def plan(steps: Sequence[Step], comparison: Comparison, changes: Changes) -> list[Planned]:
    """The revisions of a change of the models."""
    online = Online(comparison, _moved(steps, changes), _only_tables_renamed(steps))
    parts = [part for step in steps for part in online.parts(step)]
    parts = _after_needs(_last(_before_needs(parts, comparison)), comparison)
    parts.sort(key=lambda part: (part.turn, part.group if part.turn in _BY_GROUP else ""))
    grouped = [
        revision
        for _, group in itertools.groupby(parts, lambda part: (part.turn, part.group))
        for revision in divided(group, comparison)
    ]
    named = _named(grouped)
    return [
        Planned(
            tuple(part.step for part in group),
            None if group is named else _title(group, comparison),
            tuple(dict.fromkeys(part.about for part in group if part.about)),
            tuple(dict.fromkeys(each for part in group for each in part.allow)),
        )
        for group in grouped
    ]


def _moved(steps: Iterable[Step], changes: Changes) -> Collection[Key]:
    """What is dropped and made again, or gets another type: what stands on it goes before."""
    retyped = {
        Key("column", f"{operation.table_name}.{operation.column_name}")
        for step in steps
        for operation in step.ops
        if isinstance(operation, ops.AlterColumnOp) and operation.modify_type is not None
    }
    anew = {key for key in changes.anew if key.kind not in ("index", "constraint")}
    return retyped | anew | changes.remade | changes.freed | changes.replaced


def _only_tables_renamed(steps: Iterable[Step]) -> bool:
    return all(
        step.word == "rename" and not isinstance(operation, RenameColumn)
        for step in steps
        for operation in step.ops
    )


def _before_needs(parts: list[Part], comparison: Comparison) -> list[Part]:
    """A reference that an index is dropped under goes before it."""
    unindexed = {part.step.key for part in parts if part.turn is Turn.UNINDEX}
    uses = comparison.database.uses
    return [
        part.at(Turn.BEFORE)
        if part.turn is Turn.MAIN
        and part.step.key is not None
        and part.step.stage is Stage.DROP
        and uses.get(part.step.key, frozenset()) & unindexed
        else part
        for part in parts
    ]


def _last(parts: list[Part]) -> list[Part]:
    """What no table needs any more goes together with the last of what needed it."""
    going = [part for part in parts if part.turn >= Turn.CONTRACT]
    if not going:
        return parts
    last = max(going, key=lambda part: (part.turn, part.group))
    return [
        Part(part.step, last.turn, last.group) if part.step.stage is Stage.CLEAN else part
        for part in parts
    ]


def _after_needs(parts: list[Part], comparison: Comparison) -> list[Part]:
    """What is made comes no earlier than what it needs."""
    ready: dict[Key, Turn] = {}
    indexed = {_table(part, comparison) for part in parts if part.turn is Turn.INDEX}
    required = {part.step.key for part in parts if part.turn is Turn.PROMISE}
    placed: list[Part] = []
    for part in parts:
        key, turn, word = part.step.key, part.turn, part.step.word
        if key is not None:
            constraint = comparison.models.find(Constraint, key)
            kind = None if constraint is None else constraint.type
            uses = comparison.models.uses.get(key, frozenset())
            if word == "promise" and kind == "foreign key":
                turn = Turn.KEYS if _table(part, comparison) in indexed else turn
            elif required.intersection(_demands(part, kind, uses)):
                turn = Turn.LATE_KEYS
            elif (word == "validate" and ready.get(key, turn) > turn) or (
                word == "number" and key in required
            ):
                turn = Turn.LATE_VALIDATE
            if word in _MADE and turn is not Turn.INDEX:
                turn = max([turn, *(ready[used] for used in uses if used in ready)])
                ready[key] = turn
        placed.append(part.at(turn))
    return placed


def _demands(part: Part, kind: str | None, uses: frozenset[Key]) -> Collection[Key | None]:
    """What has to be NOT NULL before: a column that is numbered, those of a primary key."""
    if part.step.word == "identity":
        return {part.step.key}
    return uses if part.step.word == "attach" and kind == "primary key" else ()


def _table(part: Part, comparison: Comparison) -> str | None:
    """The table of a part's object."""
    return table_of(comparison.models.find(SchemaObject, part.step.key))


def _named(grouped: Sequence[Sequence[Part]]) -> Sequence[Part]:
    """The revision that the developer's message is about."""
    for turn in (Turn.RENAME, Turn.MAIN):
        for group in grouped:
            if group[0].turn is turn:
                return group
    return next((group for group in grouped if group[0].turn > Turn.MAIN), grouped[0])


def _title(group: Sequence[Part], comparison: Comparison) -> str:
    """What a revision does, in the words of its parts."""
    titles = list(dict.fromkeys(part.title or _said(part.step, comparison) for part in group))
    return ", ".join((titles[0], *(title[:1].lower() + title[1:] for title in titles[1:])))


def _said(step: Step, comparison: Comparison) -> str:
    fact = next(facts([step], comparison), None)
    if fact is None:
        return "Change a table"
    kind = "" if fact.key.kind in ("table", "column") else f"the {fact.key.kind} "
    return f"{_VERBS.get(fact.word, 'Change')} {kind}{fact.key.name}"
