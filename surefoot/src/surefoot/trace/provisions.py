"""Provision is an object that a release relies on, with the terms of its use.

Tables and columns have terms as well: their rights, the default of a column. A statement that takes
a provision, or changes its terms, is an effect of the kind PROVISION.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from surefoot.trace.effects import Effect, pairs
from surefoot.trace.schema_objects import Column, Relation

if TYPE_CHECKING:
    from surefoot.trace.snapshot import Snapshot

PROVISION = "provision"
Terms = Mapping[str, Any]
_NOUNS = {"v": "view", "m": "materialized view", "S": "sequence"}


class Change(NamedTuple):
    """The facts of an effect: the terms before and after, None where there is no such object."""

    noun: str
    former: Terms | None
    now: Terms | None
    # The same object has another name now.
    renamed: bool = False


def changed_provisions(
    before: Snapshot, after: Snapshot, known: frozenset[int]
) -> Iterator[Effect]:
    """The provisions that came, went, or have other terms."""

    def on(relation: int, name: str, change: Change) -> Effect:
        found = before.relations.get(relation) or after.relations.get(relation)
        fresh = bool(relation) and relation not in known
        return Effect(PROVISION, found.label if found else "", name, fresh, change._asdict())

    for oid, new, old in pairs(before.relations, after.relations):
        former, now = _terms_of(before, old), _terms_of(after, new)
        if (new or old).kind not in "iI" and former != now:
            yield on(oid, "", Change(_NOUNS.get((new or old).kind, "table"), former, now))
    for (oid, _), new, old in pairs(before.columns, after.columns):
        if oid not in after.relations or after.relations[oid].kind not in "rpf":
            continue
        names = [each.name for each in (old, new) if each]
        former, now = _held(before, old), _held(after, new)
        if len(set(names)) == 1 and now != former:
            yield on(oid, names[0], Change("column", former, now))
    for _, new, old in pairs(before.provisions, after.provisions):
        its = new or old
        if its.relation and its.relation not in after.relations:
            continue
        if new is not None and old is not None and new.name != old.name:
            yield on(its.relation, old.name, Change(its.noun, old.terms, None, renamed=True))
            yield on(its.relation, new.name, Change(its.noun, None, new.terms, renamed=True))
            continue
        former, now = old and old.terms, new and new.terms
        if former != now or new is None or old is None:
            yield on(its.relation, its.name, Change(its.noun, former, now))


def _terms_of(snapshot: Snapshot, relation: Relation | None) -> Terms | None:
    return relation and {
        "rights": relation.rights,
        "secured": relation.row_security,
        "forced": relation.forced,
        "replica": relation.replica,
        "sequence": relation.sequence,
        "owned_by": owner.label
        if (owner := snapshot.relations.get(relation.owned_by or 0))
        else "",
        "invoker": relation.invoker,
        "unvacuumed": relation.unvacuumed,
        "accepts": relation.accepts,
        "checked": relation.checked,
        "populated": relation.populated,
        "policies": [
            each.terms
            for each in snapshot.provisions.values()
            if each.noun == "policy" and each.relation == relation.oid
        ],
    }


def _held(snapshot: Snapshot, column: Column | None) -> Terms | None:
    if column is None:
        return None
    numbered = "nextval(" in (column.default or "")
    return {
        "required": column.required,
        "default": column.default,
        "identity": column.identity,
        "generated": column.generated,
        "collation": column.collation,
        "rights": column.rights,
        "plain": column.plain,
        # Who inserts rows, where that takes a right on a sequence.
        "writers": [
            right.removesuffix(" INSERT")
            for right in (snapshot.relations[column.relation].rights if numbered else ())
            if right.endswith(" INSERT")
        ],
    }
