"""recorded() completes a Statement by the two Snapshots around it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from surefoot.trace.effects import Effect, effects
from surefoot.trace.lock_modes import EXCLUSIVE, MODES, strongest
from surefoot.trace.provisions import changed_provisions
from surefoot.trace.running_revision import RunningRevision
from surefoot.trace.schema_objects import Activity, Constraint, Named, Relation
from surefoot.trace.sizes import TableSize
from surefoot.trace.snapshot import Settings, Snapshot
from surefoot.trace.statement import Statement

# SQLSTATEs of a name that is too long, and of what is there already: a schema, an extension.
CUT = "42622"
_CAME = (CUT, "42P06", "42710")
_IF = re.compile(r"\bIF\s+(?:NOT\s+)?EXISTS\b(?!\s*\()", re.IGNORECASE)
_CASE = re.compile(r"\bCASE\b", re.IGNORECASE)
_LOCAL = re.compile(r"\bSET\s+LOCAL\b|\bset_config\s*\([^;]*\btrue\s*\)", re.IGNORECASE)
_SET = re.compile(r"\bSET\b(.*?)(?:\bWHERE\b|$)", re.IGNORECASE | re.DOTALL)
_DELETES = re.compile(r"\bDELETE\b", re.IGNORECASE)
_QUERY = re.compile(r"\s*(?:SELECT|CALL|WITH|INSERT|UPDATE|DELETE|MERGE)\b", re.IGNORECASE)


def recorded(
    statement: Statement,
    before: Snapshot,
    after: Snapshot,
    taken: dict[int, set[str]],
    *,
    first: Snapshot,
    known: frozenset[int],
    sizes: Mapping[int, TableSize],
) -> Statement:
    """The statement with its effects, its locks, of which `taken` were seen, and its rows.

    `first` is the Snapshot from before its revision, and `known` are the relations of that.
    """
    for oid, modes in _by_relation(after, without=before).items():
        taken.setdefault(oid, set()).update(modes)
    # The run itself may have made its tables in this transaction: nobody waits for these.
    made = {oid for oid, mode in first.locks if MODES[mode] == EXCLUSIVE}
    held = {oid: modes for oid, modes in _by_relation(before).items() if oid not in made}
    gone = first.relations.keys() - before.relations.keys()
    gone = {oid for oid in gone if first.relations[oid].kind in "rpvmf"}
    relations = {**after.relations, **before.relations}
    # PostgreSQL counts rows by transaction.
    counted = _counted(before, after) if statement.transactional else {}
    found = (*effects(before, after, known), *changed_provisions(before, after, known))
    met = _with_parents({*taken, *held, *counted, *_changed(relations, found)}, relations)
    label = {relation.oid: relation.label for relation in met}
    # Who asks for a relation that was dropped, and is made again, waits for the end.
    again = {each.label for each in after.relations.values()} if gone else set()
    for oid, mode in before.locks if gone else ():
        if oid in gone and first.relations[oid].label in again:
            label[oid] = first.relations[oid].label
            held.setdefault(oid, set()).add(MODES[mode])
    measured = {label[o]: sizes[o] for o in label if o in sizes and o in before.relations}
    of_index = {o: before.indexes[o].relation for o in label if o in before.indexes}
    return replace(
        statement,
        effects=found,
        locks=_strongest(taken, known, label),
        held=_strongest(held, known, label),
        tables={
            label[index]: relations[table].label
            for index, table in of_index.items()
            if table in known
        },
        parents={r.label: label[parent] for r in met for parent in r.parents if parent in label},
        activity={label[o]: work for o, work in counted.items() if o in known and o in label},
        numbered={
            label[oid]: _numbered(before, oid)
            for oid, work in counted.items()
            if oid in known and oid in label and work.inserted
        },
        made_rows=sum(work.rows for o, work in counted.items() if o not in known),
        rows={name: size.rows for name, size in measured.items()},
        bytes={name: size.bytes for name, size in measured.items()},
        lock_timeout_ms=after.session.lock_timeout_ms,
        former_lock_timeout_ms=before.session.lock_timeout_ms,
        sets=after.session.differences(before.session),
        reacting=frozenset(_reacting(statement.sql, before)),
        calls=_calls(statement.sql, before.routines.values()) | _triggered(counted, before),
        unlocks=bool(first.session.locks & before.session.locks - after.session.locks),
    )


def _counted(before: Snapshot, after: Snapshot) -> Mapping[int, Activity]:
    """The rows read and written between the Snapshots, by relation."""
    found = {oid: each.since(before.activity.get(oid)) for oid, each in after.activity.items()}
    return {oid: each for oid, each in found.items() if each != Activity(oid)}


def skipped(statement: Statement, notices: Iterable[Any]) -> tuple[str, ...]:
    """The notices that PostgreSQL skipped something because of IF EXISTS or IF NOT EXISTS.

    A schema or an extension that exists is left out: the scratch database may have come with it.
    """
    return tuple(
        notice.message
        for notice in notices
        if notice.sqlstate not in _CAME
        # Its words may be in another language.
        and (notice.message.endswith(", skipping") or _IF.search(statement.sql))
    )


def _numbered(snapshot: Snapshot, table: int) -> frozenset[str]:
    """The columns of a table that get their number from a sequence."""
    return frozenset(
        column.name
        for column in snapshot.columns_of(table)
        if column.identity or (column.default or "").startswith("nextval(")
    )


def note_outliving(
    statements: list[Statement], running: RunningRevision, left: Settings, rest: Settings
) -> None:
    """Note the settings that the revision has left changed, which the run restores.

    The end of the transaction may have released its locks, and dropped its temporary tables.
    """
    changed = {*left.differences(running.first.session)} if running.first else set()
    changed -= {name for name in changed if " " in name and name not in rest.changed}
    for place in range(len(statements) - 1, -1, -1):
        statement = statements[place]
        if statement.revision != running.revision:
            break
        if (outlives := changed & statement.sets.keys()) and not _LOCAL.search(statement.sql):
            statements[place] = replace(statement, outlives=frozenset(outlives))
        changed -= outlives


def changed_names(statements: Iterable[Statement]) -> frozenset[str]:
    """The names of the relations and functions that they change, as they stand in a body."""
    names = (
        name.partition("(")[0].rpartition(".")[2]
        for statement in statements
        for effect in statement.effects
        if not effect.fresh and effect.kind not in ("index_created", "restarted")
        for name in (effect.relation, effect.name if not effect.relation else "")
    )
    return frozenset(names) - {""}


def with_refused(statement: Statement, refused: Mapping[str, str]) -> Statement:
    """The last statement of a revision, with the functions that cannot be made again after it."""
    found = (Effect("body_refused", "", name, facts={"why": w}) for name, w in refused.items())
    return replace(statement, effects=(*statement.effects, *found))


def _calls(sql: str, routines: Iterable[Named]) -> frozenset[str]:
    """The routines that a query calls by name, where they or it may choose what is done."""
    chooses = _CASE.search(sql)
    found = {each.name for each in routines if each.kind and (chooses or each.kind != "sql")}
    if not found or not _QUERY.match(sql):
        return frozenset()
    return frozenset(found & {word.lower() for word in re.findall(r"(\w+)\s*\(", sql)})


def _triggered(counted: Mapping[int, Activity], before: Snapshot) -> frozenset[str]:
    """The functions of the triggers of changed tables that look at other rows to choose."""
    changed = {oid for oid, work in counted.items() if work.written}
    return frozenset(
        each.terms["chooses"]
        for each in before.provisions.values()
        if each.noun == "trigger" and each.relation in changed and each.terms["enabled"]
        if each.terms["chooses"]
    )


def _reacting(sql: str, before: Snapshot) -> Iterator[str]:
    """The tables with a trigger or a foreign key that changes other rows for one of theirs."""
    deletes = _DELETES.search(sql)
    for each in before.provisions.values():
        terms, relation = each.terms, each.relation
        if each.noun == "trigger":
            acts = (
                terms["enabled"] and terms["writes"] and terms["when"][0] & (8 if deletes else 16)
            )
        elif each.noun == "foreign key":
            key = before.constraints[each.oid]
            acts = terms["deletes" if deletes else "updates"] in "cnd"
            acts = acts and (deletes or _sets(sql, key, before))
            relation = key.references
        else:
            acts = False
        if acts and relation in before.relations:
            yield before.relations[relation].label


def _sets(sql: str, key: Constraint, before: Snapshot) -> bool:
    """Whether a statement sets a column that a foreign key refers to."""
    index = before.indexes.get(key.index)
    names = [
        re.escape(before.columns[key.references, number].name)
        for number in (index.columns if index else ())
        if (key.references, number) in before.columns
    ]
    set_ = _SET.search(sql)
    return set_ is None or any(re.search(rf"\b{name}\b", set_[1]) for name in names)


def _changed(relations: Mapping[int, Relation], found: Iterable[Effect]) -> set[int]:
    """The relations that the effects name."""
    names = {name for effect in found for name in (effect.relation, effect.name)} - {""}
    return {oid for oid, each in relations.items() if each.label in names} if names else set()


def _with_parents(oids: set[int], relations: Mapping[int, Relation]) -> list[Relation]:
    """The relations of these oids, and those that they are parts of."""
    found: dict[int, Relation] = {}
    waiting = list(oids)
    while waiting:
        relation = relations.get(waiting.pop())
        if relation is not None and relation.oid not in found:
            found[relation.oid] = relation
            waiting.extend(relation.parents)
    return list(found.values())


def _by_relation(state: Snapshot, without: Snapshot | None = None) -> dict[int, set[str]]:
    found: dict[int, set[str]] = {}
    for oid, mode in state.locks - (without.locks if without else frozenset()):
        if oid in state.relations or (without and oid in without.relations):
            found.setdefault(oid, set()).add(MODES[mode])
    return found


def _strongest(
    modes: Mapping[int, set[str]], known: frozenset[int], label: Mapping[int, str]
) -> dict[str, str]:
    found = sorted((oid, strongest(m) or "") for oid, m in modes.items() if oid in known)
    return {label[oid]: mode for oid, mode in found if oid in label}
