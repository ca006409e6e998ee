"""Splits the parts of one turn into revisions of one table each.

A transaction that holds one table and waits for another can deadlock with the service, and a scan
or a rewrite under a lock that is held blocks everybody. So a part that needs another table, or
works on rows, starts another revision.

An object that is dropped and created again stays in one revision: between two it would be missing.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from surefoot.autogenerate import object_operations
from surefoot.autogenerate.additions import fills_rows
from surefoot.autogenerate.change import Allowance, RevisionPart, Stage
from surefoot.autogenerate.comparison import Comparison
from surefoot.autogenerate.domains import tables_of
from surefoot.autogenerate.enums import used_by
from surefoot.autogenerate.transitions import Transition, transitions
from surefoot.autogenerate.type_change import needs_no_rewrite
from surefoot.catalog import Key
from surefoot.catalog.kinds import Column, Constraint, Table, table_of

_LEAVES = (Stage.DROP, Stage.AWAY, Stage.CLEAN)
# These are locked under their own names; once dropped and created again they are not in use.
_RELATIONS = ("table", "view", "materialized view", "sequence", "type")
# Actions that lock nothing which a release waits for.
_QUIET = ("comment", "number", "validate", "build", "unbuild", "proven")


@dataclass
class _Revision:
    """A revision that is being filled: the objects that it creates, the tables that it locks."""

    parts: list[RevisionPart] = field(default_factory=list)
    made: set[str] = field(default_factory=set)
    held: set[str] = field(default_factory=set)


def split_by_locks(
    parts: Iterable[RevisionPart], comparison: Comparison
) -> list[list[RevisionPart]]:
    """The parts of a turn as revisions, in order."""
    known = [(part, list(transitions(part.change))) for part in parts]
    coming = Counter(key for _, found in known for key in {each.key for each in found})
    # Dropped and not yet created again.
    away: set[Key] = set()
    revisions = [_Revision()]
    for part, found in known:
        leaves = part.change.stage in _LEAVES
        tables = {table for each in found for table in _locked(each, comparison)}
        held, made = revisions[-1].held, revisions[-1].made
        broken = ["avoid-locking-two-tables"] if held and tables - held - made else []
        if held and not leaves and any(_works(each, comparison) for each in found):
            broken.append("avoid-work-under-access-exclusive")
        if broken and not away:
            revisions.append(_Revision())
            broken = []
        current = revisions[-1]
        for key in {each.key for each in found}:
            coming[key] -= 1
            if leaves and coming[key] > 0:
                away.add(key)
        names = ", ".join(f"the {key.kind} {key.name}" for key in sorted(away))
        reason = f"{names} would be missing between two transactions"
        allow = (Allowance(rule, reason) for rule in broken)
        away = {key for key in away if coming[key] > 0}
        current.parts.append(replace(part, allow=(*part.allow, *allow)))
        relations = [each for each in found if each.key.kind in _RELATIONS]
        current.made |= {
            e.key.name for e in relations if e.action in ("make", "remake") and not leaves
        }
        gone = {e.key.name for e in relations if e.action == "drop" or leaves}
        current.held = (current.held | tables) - current.made - gone
    return [each.parts for each in revisions if each.parts]


def _locked(transition: Transition, comparison: Comparison) -> Iterator[str]:
    """The relations that a transition locks against readers or writers."""
    action, key = transition
    before, after = comparison.sides(key)
    item = after or before
    if action in _QUIET or (action, key.kind) == ("rename", "index") or key.kind == "statistics":
        return
    if key.kind == "table":
        new = action == "make"
        yield from () if new else (key.name,)
        catalog = comparison.models if new else comparison.database
        constraints = catalog.of_table(Constraint, key.name).values()
        referred = map(
            object_operations.refers_to, constraints if action in ("make", "drop") else ()
        )
        yield from (each for each in referred if each in comparison.kept_tables)
    elif key.kind == "domain":
        yield from tables_of(comparison, key) if action in ("change", "required") else ()
    elif key.kind == "enum":
        yield from {t for t, _ in used_by(comparison, key)} if action == "replace" else ()
    elif key.kind in _RELATIONS:
        yield from (key.name,) if before is not None else ()
    elif table := table_of(item) or (transition.column_table if key.kind == "column" else None):
        yield table
        if isinstance(item, Constraint) and (other := object_operations.refers_to(item)):
            yield other


def _works(transition: Transition, comparison: Comparison) -> bool:
    """Whether a transition may read, write or index the rows of its table."""
    (action, key), (before, after) = transition, comparison.sides(transition.key)
    if table_of(after or before) in comparison.new_tables:
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
    made = {"index": ("make", "remake"), "enum": ("replace",), "domain": ("change", "required")}
    return action in made.get(key.kind, ())
