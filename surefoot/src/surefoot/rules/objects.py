"""Rules on objects that the running release uses by name: dropped, or not what they were."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from surefoot.rules.difference import Difference, at, differences, losing
from surefoot.rules.findings import Hit, Rule, TracedRevision
from surefoot.trace.effects import Effect
from surefoot.trace.provisions import PROVISION
from surefoot.trace.statement import Statement

_NOT_NULL = re.compile(r"CHECK \(\(\S+ IS NOT NULL\)\)(?: NOT VALID)?")

# The kinds of objects that a release may name. Others are used only by their table.
_DROPPED = frozenset({
    "function", "procedure", "aggregate", "type", "extension", "schema", "sequence", "operator",
    "collation", "cast", "trigger", "event trigger", "rule", "foreign key", "server",
    "text search configuration", "text search dictionary", "user mapping",
})  # fmt: skip


def _dropped(unit: TracedRevision, left: list[Difference]) -> Iterator[Hit]:
    """Objects that are gone, and triggers that do not run any more."""
    for its in left:
        if its.noun in ("trigger", "event trigger", "rule") and its.lost("enabled"):
            yield at(its, done="disabled")
        elif its.noun in ("trigger", "event trigger") and its.changed("when"):
            yield at(its, done="changed, and runs for other rows or events")
        elif its.now and "does" in its.now and its.changed("does"):
            yield at(its, done="changed, and finds other words or rows than before")
        elif its.noun == "extension" and its.now and its.changed("schema"):
            yield at(its, done=f"moved to the schema {its.now['schema']}")
        elif its.noun == "constraint" and its.now is not None:
            yield at(its, done="no longer checked")
        elif its.noun == "foreign key" and its.now is not None and _had_other(unit, its):
            yield at(its, done="changed, and deletes or changes other rows than before")
        if its.now is not None or its.noun not in _DROPPED:
            continue
        if its.noun == "sequence" and _goes_along(its):
            continue
        if not any(_replaces(each, its) for each in left):
            yield at(its, done="dropped")


def _had_other(unit: TracedRevision, its: Difference) -> bool:
    """Whether it is a foreign key that had another action, or replaces one of these columns."""
    keys: dict[str, list[Any]] = {"constraint_dropped": [], "constraint_added": []}
    for _, effect in unit.effects(*keys):
        if effect.relation == its.effect.relation and effect.facts["kind"] == "f":
            keys[effect.kind].append((effect.name, effect.facts["columns"]))
    added = [columns for name, columns in keys["constraint_added"] if name == its.effect.name]
    return its.former is not None or any(c in added for _, c in keys["constraint_dropped"])


def _goes_along(its: Difference) -> bool:
    """Whether a sequence goes with its table or column, or with the identity of that."""
    table = its.former and its.former["owned_by"]
    columns = (e for e in its.statement.of(PROVISION) if e.facts["noun"] == "column")
    changes = (*its.statement.of("column_dropped", "dropped"), *columns)
    return bool(table) and any(effect.relation == table for effect in changes)


def _replaces(new: Difference, old: Difference) -> bool:
    """Whether every call of a dropped function finds another one that gives the same."""
    if new.now is None or old.former is None or "arguments" not in new.now or new.former:
        return False
    if "arguments" not in old.former:
        return False
    took, takes = old.former["arguments"], new.now["arguments"]
    return (
        all(new.now[term] == old.former[term] for term in ("called", "result"))
        and takes[: len(took)] == took
        and len(takes) - new.now["optional"] <= len(took)
    )


def _functions(unit: TracedRevision, left: list[Difference]) -> Iterator[Hit]:
    """Functions that give another result for the same call."""
    for its in left:
        if its.noun == "cast" and its.gained("implicit"):
            yield at(its, what="is implicit, so a call of a function or an operator may fit twice")
        if its.now is None or "arguments" not in its.now:
            continue
        if its.gained("ambiguous") and not (its.former and its.former["names"] == its.now["names"]):
            yield at(its, what="takes the same arguments as another one, so a call is not unique")
        if its.former is None:
            continue
        names = zip(its.former["names"] or (), its.now["names"] or (), strict=False)
        if its.former["result"] != its.now["result"]:
            yield at(its, what=f"returns {its.now['result']}, and not {its.former['result']}")
        elif its.changed("names") and any(old not in ("", new) for old, new in names):
            yield at(its, what="has arguments of other names")
        elif its.changed("computes"):
            yield at(its, what="computes another result")
        elif its.changed("body") and its.now["kept"]:
            held = ", ".join(its.now["kept"])
            yield at(its, what=f"has another body, and {held} has the results of the former one")
        elif its.gained("strict"):
            yield at(its, what="returns null where an argument is null")
        elif its.lost("definer"):
            yield at(its, what="runs with the rights of its caller, and not of its owner")


def _broken(unit: TracedRevision) -> Iterator[Hit]:
    """Functions that name something that is not there any more; in every phase."""
    left = {(its.effect.relation, its.effect.name): its for its in differences(unit)}
    known = set()
    for statement, effect in unit.effects("column_dropped", "column_renamed"):
        for trigger in effect.facts.get("users", ()):
            its = left.get((effect.relation, trigger))
            if its is None or (its.now and effect.name.lower() in (its.now["uses"] or ())):
                why = f"its function uses {effect.name}"
                call = f"each write of {effect.relation} that runs it"
                known.add(f"{trigger} on {effect.relation}")
                yield Hit.of(statement, effect, name=trigger, why=why, call=call)
    for statement, effect in unit.effects("body_refused"):
        name, _, table = effect.name.partition(" on ")
        call = f"each write of {table} that runs it" if table else "each call of it"
        if effect.name not in known:
            yield Hit.of(statement, effect, name=name, why=effect.facts["why"], call=call)


def _types(unit: TracedRevision, left: list[Difference]) -> Iterator[Hit]:
    """Types that have other values."""
    renamed = any(unit.effects("value_renamed"))
    for its in left:
        if its.noun != "type" or its.former is None or its.now is None or renamed:
            continue
        old, new = its.former["labels"] or [], its.now["labels"] or []
        kept = [label for label in new if label in old]
        parts = its.former["attributes"] or []
        if gone := [label for label in old if label not in new]:
            yield at(its, what=f"has no value {', '.join(gone)}")
        elif kept != old:
            yield at(its, what="sorts its values in another order")
        elif its.now["base"] != its.former["base"]:
            yield at(its, what=f"is {its.now['base']}, and not {its.former['base']}")
        elif (its.now["attributes"] or []) != parts:
            yield at(its, what="has other attributes, so a row of the former ones does not fit")


def _keys(unit: TracedRevision) -> Iterator[Hit]:
    """Unique keys that are gone: ON CONFLICT names their columns."""
    if unit.phase == "contract":
        return
    made = [
        (e.relation, set(e.facts["columns"]))
        for _, e in unit.effects("constraint_added", "index_created")
        if (e.facts.get("unique") or e.facts.get("kind") in ("p", "u", "x"))
        and not e.facts.get("deferrable", not e.facts.get("immediate"))
        and not e.facts.get("partial")
    ]
    for statement, effect in unit.effects("constraint_dropped", "index_dropped"):
        facts = effect.facts
        is_key = facts.get("unique") or facts.get("kind") in ("p", "u", "x")
        along = facts["kept"] or facts.get("with_table") or _of_constraint(statement, effect)
        along = along or any(e.relation == effect.relation for e in statement.of("column_dropped"))
        if is_key and not along and (effect.relation, set(facts["columns"])) not in made:
            columns = ", ".join(each or "an expression" for each in facts["columns"])
            deferred = any(
                e.relation == effect.relation and e.facts["deferrable"]
                for _, e in unit.effects("constraint_added")
            )
            why = "accepts no deferrable key" if deferred else "has no other key of these columns"
            yield Hit.of(statement, effect, columns=columns, why=why)


def _checks(unit: TracedRevision) -> Iterator[Hit]:
    """Checks and foreign keys that are gone or not enforced, with nothing in their place."""
    if unit.phase == "contract":
        return
    made = [
        (e.relation, e.facts["kind"], set(e.facts["columns"]))
        for _, e in unit.effects("constraint_added")
    ]
    for statement, effect in unit.effects("constraint_dropped", "constraint_unenforced"):
        facts = effect.facts
        columns = set(facts["columns"])
        gone = {e.relation for e in statement.of("type_dropped")}
        along = effect.relation in gone or "" in columns
        along |= bool(facts["relation"] and facts.get("with_table"))
        along |= bool(facts["references"] and facts.get("with_referenced"))
        # Without being enforced it has refused nothing.
        along |= effect.kind == "constraint_dropped" and not facts["enforced"]
        # The step after SET NOT NULL.
        is_proof = facts.get("required") and _NOT_NULL.fullmatch(facts["check"] or "")
        is_told = any(
            (e.facts["noun"], e.relation, e.name) == ("foreign key", effect.relation, effect.name)
            for e in statement.of(PROVISION)
        )
        replaced = (effect.relation, facts["kind"], columns) in made
        if facts["kind"] in ("c", "f") and not (along or is_proof or is_told or replaced):
            noun = "check" if facts["kind"] == "c" else "foreign key"
            yield Hit.of(statement, effect, noun=noun)


def _of_constraint(statement: Statement, effect: Effect) -> bool:
    return effect.kind == "index_dropped" and any(
        each.relation == effect.relation and each.facts["kind"] in ("p", "u", "x")
        for each in statement.of("constraint_dropped")
    )


def _long_names(unit: TracedRevision) -> Iterator[Hit]:
    """Names that PostgreSQL has cut."""
    for statement in unit.statements:
        for said in statement.cut:
            yield Hit.at(statement, said=said)


RULES = (
    Rule(
        id="avoid-dropping-an-object",
        title="A function, type, trigger, sequence, extension, schema or cascading foreign key "
        "dropped, or a trigger, a foreign key or a foreign server changed",
        consequence="the {noun} {name} is {done}; the running release fails, or works otherwise, "
        "where it relies on it",
        help="deploy a release that does not use it, then drop it in a contract revision; DROP … "
        "CASCADE also drops all that depends on an object",
        rewrite='phase = "contract"',
        page="ddl-depend",
        detect=losing(_dropped),
    ),
    Rule(
        id="avoid-changing-a-function",
        title="A function or a cast that gives another result for the same call",
        consequence="{noun} {name} {what}; the running release expects the former",
        help="create a function of another name, and drop the old one in a contract revision",
        rewrite="# CREATE FUNCTION … under another name; then in a contract revision:\n"
        'op.execute("DROP FUNCTION {name}")',
        page="sql-createfunction",
        detect=losing(_functions),
    ),
    Rule(
        id="avoid-breaking-a-function",
        title="A function that uses what is not there",
        consequence="{name} cannot run: {why}; {call} fails, of any release",
        help="replace the function in the same revision or before",
        rewrite='op.execute("CREATE OR REPLACE FUNCTION …")',
        page="sql-createfunction",
        detect=_broken,
    ),
    Rule(
        id="avoid-changing-a-type",
        title="A type with other values",
        consequence="{noun} {name} {what}; the running release expects the former",
        help="create a type of another name for a new column, and drop the old one in a contract "
        "revision",
        rewrite="# CREATE TYPE … under another name; then in a contract revision:\n"
        'op.execute("DROP TYPE {name:sql}")',
        page="sql-createtype",
        detect=losing(_types),
    ),
    Rule(
        id="avoid-dropping-a-key",
        title="A unique key dropped",
        consequence="the unique key {name} on {columns} of {table} is dropped; INSERT … ON "
        "CONFLICT of the running release fails, as it {why}",
        help="deploy a release that does not name the key, then drop it in a contract revision",
        rewrite='phase = "contract"',
        page="sql-insert",
        detect=_keys,
    ),
    Rule(
        id="avoid-dropping-a-check",
        title="A check or a foreign key dropped, or not enforced",
        consequence="the {noun} {name} of {table} no longer refuses rows that the running release "
        "does not expect; to have it again, every row is checked",
        help="deploy a release that expects such rows, then drop it in a contract revision",
        rewrite='phase = "contract"',
        page="ddl-constraints",
        detect=_checks,
        level="warning",
    ),
    Rule(
        id="avoid-long-identifier",
        title="A name that PostgreSQL cuts",
        consequence="PostgreSQL cuts names to 63 bytes, and two of them may then be the same: "
        "{said}",
        help="use a shorter name",
        rewrite="# a name of at most 63 bytes",
        page="sql-syntax-lexical",
        detect=_long_names,
    ),
)
