"""Rules on rights: those that a role of the running release has no longer."""

from __future__ import annotations

import re
from collections.abc import Iterator

from surefoot.rules.difference import Difference, at, losing, made_again
from surefoot.rules.findings import Hit, Rule, TracedRevision
from surefoot.trace.provisions import PROVISION

_NEXT = re.compile(r"\bnextval\('([^']+)'")
_USES = re.compile(r" (?:USAGE|UPDATE)$")
_OF_ROWS = ("SELECT", "INSERT", "UPDATE", "DELETE")
_TAKES = re.compile(r"\bREVOKE\b", re.IGNORECASE)


def _rights(unit: TracedRevision, left: list[Difference]) -> Iterator[Hit]:
    """Rights that a role has no longer, and a REVOKE that took nothing here."""
    for its in left:
        if its.noun == "view" and its.gained("invoker"):
            yield at(its, what=f"{its.label} reads with the rights of its caller")
        if its.noun == "default privileges":
            usual = (its.former or its.now or {}).get("usual")
            old = its.former["rights"] if its.former else usual
            new = its.now["rights"] if its.now else usual
        elif its.former is None or its.now is None or "rights" not in its.now:
            continue
        else:
            old, new = its.former["rights"], its.now["rights"]
        if gone := sorted(set(old or ()) - set(new or ())):
            by_role: dict[str, list[str]] = {}
            for role, _, right in (each.rpartition(" ") for each in gone):
                by_role.setdefault(role, []).append(right)
            said = "; ".join(f"{role} loses {', '.join(r)}" for role, r in by_role.items())
            yield at(its, what=f"{said} on {its.noun} {its.label}")


def _sequences(unit: TracedRevision, left: list[Difference]) -> Iterator[Hit]:
    """Sequences of the revision in a default, that not everybody may use who inserts rows."""
    may = {
        effect.relation: effect.facts["now"]["rights"]
        for _, effect in unit.effects(PROVISION, fresh=True)
        if effect.facts["noun"] == "sequence" and effect.facts["now"]
    }
    for its in left:
        now = its.now if its.noun == "column" else None
        for name in _NEXT.findall(now["default"] or "") if now else ():
            users = {right.rpartition(" ")[0] for right in may.get(name, ()) if _USES.search(right)}
            without = set(now["writers"]) - users if now and name in may else ()
            if without and "PUBLIC" not in users:
                roles, table = ", ".join(sorted(without)), its.effect.relation
                yield at(its, what=f"{roles} may insert into {table}, and not use {name}")


def _under_former_name(unit: TracedRevision) -> Iterator[Hit]:
    """Rights on a table that was renamed, which what has its name now does not give."""
    made = {
        effect.relation: (statement, effect)
        for statement, effect in unit.effects(PROVISION, fresh=True)
        if effect.fresh and not effect.name and effect.facts["now"]
    }
    for _, effect in unit.effects("renamed"):
        if new := made.get(effect.name):
            left = {*effect.facts["rights"]} - {*new[1].facts["now"]["rights"]}
            by_role = sorted(each for each in left if each.rpartition(" ")[2] in _OF_ROWS)
            if by_role:
                what = f"{', '.join(by_role)} is not given on the new {effect.name}"
                yield Hit.of(*new, what=what)


def _unmet_revokes(unit: TracedRevision) -> Iterator[Hit]:
    """REVOKE that changes nothing here: the rights may have been granted on the target alone."""
    made = {e.relation for _, e in unit.effects("created", fresh=True)}
    for statement in unit.statements if unit.phase != "contract" else ():
        words = set(re.findall(r"[\w.]+", statement.sql))
        if _TAKES.search(statement.sql) and not statement.effects and not words & made:
            yield Hit.at(statement, what="a role may lose rights that were granted elsewhere")


def _revoked(unit: TracedRevision) -> Iterator[Hit]:
    yield from losing(_rights)(unit)
    yield from _rights(unit, made_again(unit))
    yield from losing(_sequences)(unit)
    yield from _under_former_name(unit)
    yield from _unmet_revokes(unit)


RULES = (
    Rule(
        id="avoid-revoking",
        title="A right taken from a role, or not given to it",
        consequence="{what}; the running release fails where it needs the right",
        help="deploy a release that does not need it, then revoke it in a contract revision; an "
        "object that is created again needs the GRANTs of the former",
        rewrite='phase = "contract"',
        page="ddl-priv",
        detect=_revoked,
    ),
)
