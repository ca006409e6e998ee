"""in_downgrade() judges the downgrade of a revision: its work, its losses, its failure.

It is run where a release has failed. Its phase plays no part, and to drop what the upgrade made is
no loss. The findings are advice, as the upgrade can be released.
"""

import ast
import re
from collections.abc import Collection, Iterator
from dataclasses import replace
from typing import Any

from surefoot.chain.coding import parsed
from surefoot.rules.findings import Finding, Hit, Rule, TracedRevision, finding
from surefoot.rules.source import REQUIRED
from surefoot.trace.provisions import PROVISION
from surefoot.trace.statement import Statement

# The effects that undo those of an upgrade.
_ENDS = {"created": "dropped", "type_created": "type_dropped", "column_added": "column_dropped"}
_AGAIN = re.compile(r"\bIF\s+NOT\s+EXISTS\b|\bOR\s+REPLACE\b", re.IGNORECASE)
_PLACE = re.compile(r"\S+\.py:(\d+): ")
_LEAVE = "downgrade() drops what upgrade() has made, and nothing else"
_LOSES = {"avoid-dropping-a-column", "avoid-dropping-a-table", "avoid-dropping-an-object"}
_ALSO = {"avoid-truncate", "avoid-waiting-under-lock", "require-complete-trace"}
# To drop what the upgrade made breaks none of these.
_UNDOES = {*_LOSES, "require-index-for-foreign-key"}


def in_downgrade(unit: TracedRevision, rules: Collection[Rule], major: int) -> Iterator[Finding]:
    """The findings of a downgrade that was run."""
    stopped = unit.back_stopped if not _raises(unit.source) else None
    if not (unit.back or stopped):
        return
    place = _PLACE.match(stopped or "")
    down = replace(
        unit,
        statements=unit.back,
        phase="expand",
        complete=stopped is None,
        stopped=stopped,
        stopped_line=int(place[1]) if place else 1,
    )
    for statement, name in _left(unit) if unit.back and not stopped else ():
        said = f"in the downgrade, {name} stays, and the next upgrade fails as it is there"
        found = finding(unit, REQUIRED, Hit.at(statement))
        yield replace(found, level="warning", consequence=said, help="let it drop that", remedy="")
    made = _made(unit)
    for rule in rules:
        works = rule.grows and rule.seen == "traced" and rule.holds(major)
        if not (works or rule.id in {*_LOSES, *_ALSO}):
            continue
        for hit in rule.detect(down):
            if hit.values.get("done", "dropped") != "dropped":
                continue
            name = "column" if rule.id == "avoid-dropping-an-object" else "name"
            lost = (str(hit.values.get("table")), str(hit.values.get(name)))
            if rule.id in _UNDOES and made & {lost, (lost[0], ""), *_shortened(down, hit, made)}:
                continue
            found = finding(down, rule, hit)
            said = f"in the downgrade, {found.consequence}"
            advice: dict[str, Any] = {"help": _LEAVE, "remedy": ""} if rule.id in _LOSES else {}
            yield replace(found, level="warning", consequence=said, **advice)


def _left(unit: TracedRevision) -> Iterator[tuple[Statement, str]]:
    """What the upgrade makes and the downgrade leaves, so that the next upgrade fails."""
    did = [(s, effect) for s in (*unit.statements, *unit.back) for effect in s.effects]
    if any(effect.kind.endswith("renamed") for _, effect in did):
        return
    gone = {(e.kind, e.relation, e.name) for _, e in did if e.kind in _ENDS.values()}
    for statement, effect in did[: sum(len(s.effects) for s in unit.statements)]:
        kind, relation, name = effect.kind, effect.relation, effect.name
        along = kind == "column_added" and (effect.fresh or ("dropped", relation, "") in gone)
        known = along or effect.facts.get("owned") or _AGAIN.search(statement.sql)
        if kind in _ENDS and not known and (_ENDS[kind], relation, name) not in gone:
            yield statement, f"{relation}.{name}" if name else relation


def _made(unit: TracedRevision) -> set[tuple[str, str]]:
    """The tables, the columns and indexes of tables, and other objects that the upgrade made."""
    kinds = ("created", "column_added", "view_extended", "renamed", "column_renamed")
    effects = unit.effects(*kinds, "index_created", fresh=True)
    found = set()
    for _, effect in effects:
        name = effect.facts.get("to", effect.name)
        found.add((name, "") if effect.kind == "renamed" else (effect.relation, name))
    objects = (effect for _, effect in unit.effects(PROVISION, fresh=True))
    return found | {(e.relation, e.name) for e in objects if not e.facts["former"]}


def _shortened(
    down: TracedRevision, hit: Hit, made: set[tuple[str, str]]
) -> Iterator[tuple[str, str]]:
    """The columns that a view is created without, where they are of those that the upgrade made."""
    for _, effect in down.effects("created", fresh=True):
        if effect.relation == hit.values.get("name") and effect.facts["kind"] in "vm":
            gone = hit.values["columns"] - effect.facts["columns"]
            columns = {(effect.relation, each.partition(" ")[0]) for each in gone}
            yield from columns if columns <= made else ()


def _raises(source: str) -> bool:
    """Whether downgrade() refuses."""
    return any(
        isinstance(node, ast.FunctionDef)
        and node.name == "downgrade"
        and any(isinstance(each, ast.Raise) for each in node.body)
        for node in parsed(source).body
    )
