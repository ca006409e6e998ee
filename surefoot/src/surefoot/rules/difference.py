"""Difference is what a revision leaves of an object that its running release may rely on.

A revision is looked at as a whole: a function that it drops and creates again is no difference.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

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

    @property
    def label(self) -> str:
        """Its name for messages."""
        parts = (self.effect.relation, self.effect.name)
        if self.noun == "column":
            return ".".join(parts)
        return " on ".join(part for part in reversed(parts) if part)

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
    for statement, effect in unit.effects(PROVISION, fresh=True):
        key = (effect.facts["noun"], effect.relation, effect.name)
        last = Difference(statement, effect, **effect.facts)
        first = found.get(key)
        # Of a new relation; but one of that name may have been dropped before.
        if effect.fresh and first is None:
            continue
        found[key] = replace(last, former=first.former) if first else last
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


def losing(tell: Callable[[TracedRevision, list[Difference]], Iterator[Hit]]) -> Detector:
    """The detector of losses, which a contract revision is for."""

    def detect(unit: TracedRevision) -> Iterator[Hit]:
        if unit.phase != "contract" and (left := differences(unit)):
            yield from tell(unit, left)

    return detect


def at(its: Difference, **values: Any) -> Hit:
    """The place of a difference, with the names of its object."""
    known = {"noun": its.noun, "name": its.label, "column": its.effect.name}
    return Hit.of(its.statement, its.effect, **known, **values)
