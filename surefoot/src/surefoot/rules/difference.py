"""Difference is what a revision leaves of an object that its running release may rely on.

A revision is looked at as a whole: a function that it drops and creates again is no difference.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from surefoot.frozen import dataclass
from surefoot.rules.findings import Detector, Hit, TracedRevision
from surefoot.trace.effects import Effect
from surefoot.trace.provisions import PROVISION
from surefoot.trace.statement import Statement

Terms = Mapping[str, Any]


@dataclass(frozen=True)
class Difference:
    """One object before and after the revision; None where there is none."""

    statement: Statement
    effect: Effect
    noun: str
    former: Terms | None
    now: Terms | None
    renamed: bool
    # Whether it was dropped, and another one has its name now.
    again: bool = False

    @property
    def label(self) -> str:
        """Its name for messages."""
        parts = (self.effect.relation, self.effect.name)
        if self.noun == "column":
            return ".".join(parts)
        return " on ".join(part for part in reversed(parts) if part)

    def is_meant(self, unit: TracedRevision) -> bool:
        """Whether a contract revision has named it."""
        return unit.drops(self.statement, self.effect.name or self.effect.relation)

    def lost(self, term: str) -> bool:
        """Whether it had the property, and has it no longer."""
        return bool(self.former and self.now and self.former[term] and not self.now[term])

    def gained(self, term: str) -> bool:
        """Whether it has the property now, and had it not."""
        return bool(self.now and self.now[term] and not (self.former and self.former[term]))

    def changed(self, term: str) -> bool:
        """Whether it had the property, and has another one now."""
        return bool(self.former and self.now and self.former[term] != self.now[term])


def differences(unit: TracedRevision) -> list[Difference]:
    """The differences that the revision leaves, each at the statement that made it last."""
    found: dict[tuple[str, str, str], Difference] = {}
    made: dict[tuple[str, str], Difference] = {}
    for statement, effect in unit.effects(PROVISION, "renamed", fresh=True):
        if effect.kind == "renamed":
            for noun, name in [each for each in made if each[1] == effect.name]:
                key, last = (noun, effect.facts["to"], ""), made[noun, name]
                if first := found.get(key):
                    its = replace(effect, relation=key[1], name="")
                    found[key] = replace(
                        last, statement=statement, effect=its, former=first.former, again=True
                    )
            continue
        key = (effect.facts["noun"], effect.relation, effect.name)
        last = Difference(statement, effect, **effect.facts)
        first = found.get(key)
        if effect.fresh and not effect.name:
            made[key[:2]] = last
        # Of a new relation; but one of that name may have been dropped before.
        if effect.fresh and first is None:
            continue
        again = first is not None and (first.again or first.now is None)
        found[key] = replace(last, former=first.former, again=again) if first else last
    return [each for each in found.values() if each.former != each.now and not each.renamed]


# Nouns that queries, subscribers or sessions name, and no other effect is about.
_NAMED = frozenset({
    "collation", "operator", "publication", "server", "text search configuration",
    "text search dictionary",
})  # fmt: skip


def renamed_by(statement: Statement) -> Iterator[tuple[str, str]]:
    """The old and the new name of the objects without a table that it renames or moves."""
    its = [e for e in statement.of(PROVISION) if e.facts["renamed"] and e.facts["noun"] in _NAMED]
    return zip((e.name for e in its[::2]), (e.name for e in its[1::2]), strict=True)


def made_again(unit: TracedRevision) -> list[Difference]:
    """Those of tables and views that a contract revision drops and makes again."""
    contract = unit.phase == "contract"
    return [its for its in differences(unit) if contract and its.again and not its.effect.name]


def losing(tell: Callable[[TracedRevision, list[Difference]], Iterator[Hit]]) -> Detector:
    """The detector of losses, which a contract revision is for, unless CASCADE brings them."""

    def detect(unit: TracedRevision) -> Iterator[Hit]:
        left = differences(unit)
        if unit.phase == "contract":
            left = [each for each in left if each.noun != "foreign key" and not each.is_meant(unit)]
        if left:
            yield from tell(unit, left)

    return detect


def at(its: Difference, **values: Any) -> Hit:
    """The place of a difference, with the names of its object."""
    known = {"noun": its.noun, "name": its.label, "column": its.effect.name}
    return Hit.of(its.statement, its.effect, **{**known, **values})
