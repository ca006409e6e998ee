"""touched() chooses the tables that revisions may touch, by the names in their text.

A table that is touched by a name which Python puts together is not among them. It stays empty, and
where that matters the duration of its statements is unknown.
"""

import re
from collections.abc import Iterable, Sequence

import asyncpg

from surefoot.trace.provision_query import LAST_OF_SERVER
from surefoot.trace.schema_objects import Relation
from surefoot.trace.snapshot import Snapshot

# The relations that each view reads.
_VIEWS = """
SELECT DISTINCT ev_class::bigint, refobjid::bigint FROM pg_depend
JOIN pg_rewrite r ON r.oid = objid
WHERE classid = 'pg_rewrite'::regclass AND refclassid = 'pg_class'::regclass
  AND refobjid <> ev_class
"""
# The table of each trigger, its function, and the text of that.
_TRIGGERS = f"""
SELECT tgrelid::bigint, lower(proname), prosrc FROM pg_trigger
JOIN pg_proc p ON p.oid = tgfoid WHERE NOT tgisinternal AND p.oid > {LAST_OF_SERVER}
"""  # noqa: S608 - a constant
# Words of statements that may take rows of other tables with them.
_CASCADES = {"cascade", "delete", "truncate"}


async def touched(
    connection: asyncpg.Connection, snapshot: Snapshot, order: Sequence[Relation], text: str
) -> tuple[frozenset[int], Sequence[Relation]]:
    """The tables to be worked on, and all of `order` that are to have rows.

    The first are those that the text names, and those that refer to them, where a DELETE or
    TRUNCATE may take their rows with it, or that a trigger joins with them; the others are tables
    that these refer to.
    """
    words = {word.lower() for word in re.findall(r"\w+", text)}
    leads: dict[int, set[int]] = {}
    for index in snapshot.indexes.values():
        leads.setdefault(index.oid, set()).add(index.relation)
    for view, relation in await connection.fetch(_VIEWS):
        leads.setdefault(view, set()).add(relation)
    for relation in snapshot.relations.values():
        leads.setdefault(relation.oid, set()).update(relation.parents)
    refers: dict[int, set[int]] = {}
    referring: dict[int, set[int]] = {}
    for key in snapshot.constraints.values():
        if key.kind == "f":
            refers.setdefault(key.relation, set()).add(key.references)
            referring.setdefault(key.references, set()).add(key.relation)
    named = _reached(
        (r.oid for r in snapshot.relations.values() if _is_named(r.name, words, text)), leads
    )
    needed = _reached(named, refers)
    cascades = named if words & _CASCADES else ()
    taken = {each for oid in cascades for each in referring.get(oid, ())}
    names = {relation.name.lower(): relation.oid for relation in snapshot.relations.values()}
    for table, function, body in await connection.fetch(_TRIGGERS):
        used = {names[word] for word in re.findall(r"\w+", body.lower()) if word in names}
        if function in words or used & named:
            taken.add(table)
        if table in named:
            taken |= used
    others = _reached(taken, refers)
    first, last = ([t for t in order if t.oid in oids] for oids in (needed, others - needed))
    # With few rows the planner would read all of them, and use no index of the foreign key.
    return frozenset(named | taken), [*first, *last]


def _is_named(name: str, words: set[str], text: str) -> bool:
    return name.lower() in words if re.fullmatch(r"\w+", name) else name in text


def _reached(start: Iterable[int], edges: dict[int, set[int]]) -> set[int]:
    found: set[int] = set()
    waiting = list(start)
    while waiting:
        current = waiting.pop()
        if current not in found:
            found.add(current)
            waiting.extend(edges.get(current, ()))
    return found
