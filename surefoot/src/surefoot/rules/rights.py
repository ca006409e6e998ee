"""Rules on rights: those that a role of the running release has no longer."""

from __future__ import annotations

import re
from collections.abc import Iterator

from surefoot.rules.difference import Difference, at, losing
from surefoot.rules.findings import Hit, Rule, TracedRevision

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


def _unmet_revokes(unit: TracedRevision) -> Iterator[Hit]:
    """REVOKE that changes nothing here: the rights may have been granted on the target alone."""
    made = {e.relation for _, e in unit.effects("created", fresh=True)}
    for statement in unit.statements if unit.phase != "contract" else ():
        words = set(re.findall(r"[\w.]+", statement.sql))
        if _TAKES.search(statement.sql) and not statement.effects and not words & made:
            yield Hit.at(statement, what="a role may lose rights that were granted elsewhere")


def _revoked(unit: TracedRevision) -> Iterator[Hit]:
    yield from losing(_rights)(unit)
    yield from _unmet_revokes(unit)


RULES = (
    Rule(
        id="avoid-revoking",
        title="A right taken from a role",
        consequence="{what}; the running release fails where it needs the right",
        help="deploy a release that does not need it, then revoke it in a contract revision; an "
        "object that is created again needs the GRANTs of the former",
        rewrite='phase = "contract"',
        page="ddl-priv",
        detect=_revoked,
    ),
)
