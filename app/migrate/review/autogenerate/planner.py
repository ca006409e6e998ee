"""From the steps of a change to the revisions that it becomes, in their order.

    steps -> parts, each at its turn -> lifted over what they need -> one revision a turn and group

Nothing here looks at a database or a file.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from alembic.operations import ops

from app.migrate.proof.catalog import Key
from app.migrate.review.autogenerate.changes import Changes
from app.migrate.review.autogenerate.comparison import Comparison
from app.migrate.review.autogenerate.online import Online
from app.migrate.review.autogenerate.parts import Part, Turn
from app.migrate.review.autogenerate.steps import Stage, Step

_MADE = ("make", "remake", "promise", "attach", "build")


@dataclass(frozen=True)
class Planned:
    """One revision: its steps, its own title, and what is to be said before it runs."""

    steps: tuple[Step, ...]
    # None where the developer's message is the title.
    title: str | None
    about: tuple[str, ...] = ()


def plan(steps: Sequence[Step], comparison: Comparison, changes: Changes) -> list[Planned]:
    """The revisions of a change of the models."""
    online = Online(comparison, _moved(steps, changes))
    parts = [part for step in steps for part in online.parts(step)]
    parts = _after_needs(_last(_before_needs(parts, comparison)), comparison)
    parts.sort(key=lambda part: (part.turn, part.group if part.turn in _BY_GROUP else ""))
    grouped = [
        list(group) for _, group in itertools.groupby(parts, lambda part: (part.turn, part.group))
    ]
    named = _named(grouped)
    return [
        Planned(
            tuple(part.step for part in group),
            None if group is named else _title(group),
            tuple(dict.fromkeys(part.about for part in group if part.about)),
        )
        for group in grouped
    ]


# The groups of these need nothing of each other.
_BY_GROUP = (Turn.VALIDATE, Turn.PROMISE, Turn.PROVE, Turn.REQUIRE, Turn.LATE_VALIDATE,
             Turn.COLUMNS, Turn.TABLES)  # fmt: skip


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
    indexed = {comparison_table(comparison, part) for part in parts if part.turn is Turn.INDEX}
    required = {part.step.key for part in parts if part.turn is Turn.PROMISE}
    placed: list[Part] = []
    for part in parts:
        key = part.step.key
        if key is None or part.step.word not in (*_MADE, "validate"):
            placed.append(part)
            continue
        turn = part.turn
        uses = comparison.models.uses.get(key, frozenset())
        if part.step.word == "promise" and _refers(comparison, key):
            turn = Turn.KEYS if comparison_table(comparison, part) in indexed else turn
        if part.step.word == "attach" and uses & required:
            turn = Turn.LATE_KEYS
        if part.step.word == "validate" and ready.get(key, turn) > turn:
            turn = Turn.LATE_VALIDATE
        if part.step.word in _MADE and part.turn is not Turn.INDEX:
            turn = max([turn, *(ready[used] for used in uses if used in ready)])
            ready[key] = turn
        placed.append(_moved_to(part, turn))
    return placed


def _moved_to(part: Part, turn: Turn) -> Part:
    return part if part.turn is turn else part.at(turn)


def comparison_table(comparison: Comparison, part: Part) -> object:
    """The table of a part's object."""
    return (comparison.models.objects.get(part.step.key or Key("", "")) or {}).get("table")


def _refers(comparison: Comparison, key: Key) -> bool:
    return comparison.models.objects[key].get("type") == "foreign key"


def _named(grouped: Sequence[Sequence[Part]]) -> Sequence[Part]:
    """The revision that the developer's message is about."""
    for group in grouped:
        if group[0].turn is Turn.MAIN:
            return group
    for group in grouped:
        if group[0].turn > Turn.MAIN:
            return group
    return grouped[0]


def _title(group: Sequence[Part]) -> str | None:
    titles = list(dict.fromkeys(part.title for part in group if part.title))
    if not titles:
        return None
    return titles[0] if len(titles) == 1 else f"{titles[0]}, {_rest(titles[1:])}"


def _rest(titles: Sequence[str]) -> str:
    return ", ".join(title[:1].lower() + title[1:] for title in titles)
