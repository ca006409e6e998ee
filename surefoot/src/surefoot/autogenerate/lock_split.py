"""split_by_locks() divides a revision where it would lock a second table, or work under a lock.

A transaction that holds one table and waits for another can deadlock with the service, and a scan
or a rewrite under a lock that is held blocks everybody. An object that is dropped and created again
stays in one revision: between two it would be missing. What has no tie to it goes before.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence

from surefoot.autogenerate.allowances import MISSING
from surefoot.autogenerate.change import UNNAMED, Change, Stage, Turn
from surefoot.autogenerate.columns import fills_rows
from surefoot.autogenerate.comparison import Comparison
from surefoot.autogenerate.domains import tables_of
from surefoot.autogenerate.object_operations import refers_to
from surefoot.autogenerate.swappable import enum_columns
from surefoot.catalog import Key
from surefoot.catalog.kinds import Column, Constraint, Index, Table
from surefoot.catalog.model import key_of
from surefoot.catalog.widening import needs_no_rewrite

# The catalogs have all ties of objects of these kinds, and of types that are new.
_OF_TABLES = ("table", "column", "constraint", "index")
_TYPES = ("enum", "domain", "type", "sequence")
_LEAVES = (Stage.DROP, Stage.AWAY, Stage.CLEAN)
# These are locked under their own names; once dropped and created again they are not in use.
_RELATIONS = ("table", "view", "materialized view", "sequence", "type")
# Stands for all tables that are changed plainly: no name of a table is empty.
_SMALL = ""
# Actions that lock nothing which a release waits for.
_QUIET = ("comment", "number", "validate", "build", "unbuild", "proven", "grant", "revoke")


def split_by_locks(parts: Iterable[Change], comparison: Comparison) -> list[list[Change]]:
    """The parts of a turn as revisions, in order."""
    parts = _with_their_tables(list(parts), comparison)
    if parts[0].turn is Turn.MAIN and not comparison.at_once:
        parts = _apart(parts, comparison)
    coming = Counter(part.key for part in parts)
    # Dropped and not yet created again, each with the one that comes last.
    away: dict[Key, Key] = {}
    revisions: list[list[Change]] = [[]]
    # Of the last revision: the objects that it creates, the tables that it locks.
    made, held = set[str](), set[str]()
    for part in parts:
        key, leaves = part.key, part.stage in _LEAVES
        tables = set(_locked(part, comparison))
        tables = {_SMALL if each in comparison.plain else each for each in tables}
        broken = bool(held and tables - held - made)
        broken |= not leaves and bool(held - {_SMALL}) and _works(part, comparison)
        # Its readers wait for the end, and it is filled meanwhile.
        broken |= key.kind == "materialized view" and not leaves and key in away
        if broken and not away:
            revisions.append([])
            made, held, broken = set(), set(), False
        coming[key] -= 1
        last = part.until or key
        if key != UNNAMED and leaves and coming[last] > 0:
            away[key] = last
        if broken and not any(MISSING in each.about for each in revisions[-1]):
            names = ", ".join(f"the {each.kind} {each.name}" for each in sorted(away))
            told = f"One transaction holds several locks, or works under one: {names} {MISSING}."
            part.about = f"{part.about} {told}".strip()
        away = {each: last for each, last in away.items() if coming[last] > 0}
        revisions[-1].append(part)
        held |= tables
        if key.kind in _RELATIONS:
            if part.action in ("make", "remake") and not leaves:
                made.add(key.name)
            elif part.action in ("drop", "remake"):
                held.discard(key.name)
        held -= made
    return [each for each in revisions if each]


def _with_their_tables(parts: Sequence[Change], comparison: Comparison) -> list[Change]:
    """The parts with each index and key of a new table behind the table, while nobody uses it."""
    places = {
        part.key.name: place
        for place, part in enumerate(parts)
        if (part.key.kind, part.action) == ("table", "make")
    }

    def place(numbered: tuple[int, Change]) -> int:
        at, part = numbered
        item = comparison.models.objects.get(part.key)
        if part.action != "make" or not isinstance(item, Constraint | Index) or refers_to(item):
            return at
        return places.get(item.table, at)

    return [part for _, part in sorted(enumerate(parts), key=place)]


def _apart(parts: Sequence[Change], comparison: Comparison) -> list[Change]:
    """The parts; what has no tie to an object that is away for a while goes before it leaves."""
    returns = {part.key: at for at, part in enumerate(parts) if part.stage not in _LEAVES}
    found: list[Change] = []
    while len(found) < len(parts):
        at = end = len(found)
        while at <= end:
            part = parts[at]
            if part.stage in _LEAVES:
                end = max(end, returns.get(part.until or part.key, at))
            at += 1
        found += _untied_first(parts[len(found) : at], comparison)
    return found


def _untied_first(parts: Sequence[Change], comparison: Comparison) -> list[Change]:
    """The parts from the drop of an object to its return; those without a tie to it come first."""
    gone = {part.until or part.key for part in parts if part.stage in _LEAVES}
    away = gone & {part.key for part in parts if part.stage not in _LEAVES}
    tied = [part for part in parts if away & {part.key, part.until} or not _may_move(part)]
    keys = {part.key for part in parts}
    ties = {part: {*_ties(part.key, keys, comparison)} for part in parts}
    more = tied
    while more:
        reached = set[Key | str]().union(*(ties[part] for part in tied))
        more = [part for part in parts if part not in tied and reached & ties[part]]
        tied += more
    return sorted(parts, key=lambda part: part in tied)


def _may_move(part: Change) -> bool:
    """Whether the catalogs have all that it is tied to."""
    return part.key.kind in _OF_TABLES or (part.action == "make" and part.key.kind in _TYPES)


def _ties(key: Key, keys: Collection[Key], comparison: Comparison) -> Iterator[Key | str]:
    """The names of an object and its tables, and which of the keys it needs, or need it."""
    if key.kind != "column":
        yield key.name.rpartition(".")[2]  # only one relation of a schema may have it
    tables = [comparison.table_of(key) or key.name]
    for table in tables:
        yield table
        for catalog in (comparison.database, comparison.models):
            tables += {*catalog.parents(table)} - {*tables}
    for item in (*comparison.sides(key), *comparison.inline.get(key.name, ())):
        if isinstance(item, Constraint) and (other := refers_to(item)):
            yield other
    for catalog in (comparison.database, comparison.models):
        own = {key}
        if key.kind == "table":
            inline = comparison.inline.get(key.name, ())
            own |= {*map(key_of, (*catalog.columns(key.name), *inline))}
        near = {key, *catalog.users_of(*own)}.union(*map(catalog.needs, own))
        yield from near.intersection(keys)


def _locked(part: Change, comparison: Comparison) -> Iterator[str]:
    """The relations that a change locks against readers or writers."""
    action, key, (before, after) = part.action, part.key, comparison.sides(part.key)
    item = after or before
    is_called = action in ("rename", "name")
    is_quiet = action in _QUIET or key.kind == "statistics" or (is_called and key.kind == "index")
    if comparison.at_once or is_quiet:
        return
    if key.kind == "table":
        if action != "make":
            yield key.name
        # Other foreign keys of the table come later than it, or go before it, by themselves.
        referred = map(refers_to, comparison.inline.get(key.name, ()))
        yield from (each for each in referred if each in comparison.kept_tables)
    elif key.kind == "domain":
        yield from tables_of(comparison, key) if action in ("change", "required") else ()
    elif key.kind == "enum":
        columns = enum_columns(comparison, key) if action == "replace" else {}
        yield from {each.table for each in columns.values()}
    elif key.kind in _RELATIONS:
        yield from (key.name,) if before is not None else ()
    elif table := comparison.table_of(key):
        yield table
        if isinstance(item, Constraint) and not is_called and (other := refers_to(item)):
            yield other


def _works(part: Change, comparison: Comparison) -> bool:
    """Whether a change may read, write or index the rows of its table."""
    action, key = part.action, part.key
    before, after = comparison.sides(key)
    if comparison.table_of(key) in comparison.new_tables:
        return False
    match before, after:
        case Column(), Column() if action == "retype":
            rebuilt = before.collation != after.collation or any(
                user.kind == "constraint" for user in comparison.database.users_of(key)
            )
            return rebuilt or not needs_no_rewrite(before.type, after.type)
        case _, Column():
            return action in ("remake", "not null") or (action == "make" and fills_rows(after))
        case Table(), Table():
            return before.persistence != after.persistence
        case _, Constraint():
            return action in ("make", "remake") and after.validated
    made = {
        "index": ("make", "remake"),
        "enum": ("replace",),
        "domain": ("change", "required"),
        "materialized view": ("make",),
    }
    return action in made.get(key.kind, ())
