"""The `Locks:` line of a revision: the lock on each table, and the work that is done under it.

A lock is held until its transaction ends, so each table is named once, with its strongest lock and
the longest work.
"""

import enum
from collections.abc import Iterable, Iterator, Mapping

from surefoot.autogenerate import object_operations
from surefoot.autogenerate.additions import fills_rows, is_volatile
from surefoot.autogenerate.comparison import Comparison
from surefoot.autogenerate.enums import used_by
from surefoot.autogenerate.object_diff import VIEWS
from surefoot.autogenerate.transitions import Transition
from surefoot.catalog.kinds import Column, Constraint, Table
from surefoot.catalog.widening import needs_no_rewrite


class Mode(enum.IntEnum):
    """A lock mode; a stronger one is greater."""

    SHARE_UPDATE_EXCLUSIVE = 4
    SHARE = 5
    SHARE_ROW_EXCLUSIVE = 6
    ACCESS_EXCLUSIVE = 8


class Work(enum.IntEnum):
    """The work under a lock; longer work is greater."""

    CATALOGUE = 0
    READ = 1
    INDEX = 2
    REWRITE = 3


_WORDS = {
    Work.CATALOGUE: ", catalogue change only",
    Work.READ: " while rows are read",
    Work.INDEX: " while an index is built",
    Work.REWRITE: " while rows are rewritten",
}
Lock = tuple[str, Mode, Work]
_ACCESS = Mode.ACCESS_EXCLUSIVE
_CHANGED = (_ACCESS, Work.CATALOGUE)
# By kind and action; the empty action stands for all others of the kind.
_OF_OBJECTS: Mapping[tuple[str, str], tuple[Mode, Work]] = {
    ("index", "make"): (Mode.SHARE, Work.INDEX),
    ("index", "build"): (Mode.SHARE_UPDATE_EXCLUSIVE, Work.INDEX),
    ("index", "unbuild"): (Mode.SHARE_UPDATE_EXCLUSIVE, Work.CATALOGUE),
    ("index", "drop"): _CHANGED,
    ("index", ""): (_ACCESS, Work.INDEX),
    ("trigger", "make"): (Mode.SHARE_ROW_EXCLUSIVE, Work.CATALOGUE),
    ("trigger", "change"): (Mode.SHARE_ROW_EXCLUSIVE, Work.CATALOGUE),
    ("trigger", ""): _CHANGED,
    ("rule", ""): _CHANGED,
    ("policy", ""): _CHANGED,
    ("view", ""): _CHANGED,
    ("materialized view", ""): _CHANGED,
    ("statistics", ""): (Mode.SHARE_UPDATE_EXCLUSIVE, Work.CATALOGUE),
    ("sequence", "drop"): _CHANGED,
    ("sequence", "change"): (Mode.SHARE_ROW_EXCLUSIVE, Work.CATALOGUE),
    ("sequence", "rename"): _CHANGED,
    # A composite type, which PostgreSQL locks like a table.
    ("type", "drop"): _CHANGED,
}


def locks(transitions: Iterable[Transition], comparison: Comparison) -> str:
    """The text of the `Locks:` line."""
    transitions = list(transitions)
    new = {
        each.key.name for each in transitions if each.action == "make" and each.key.kind == "table"
    }
    strongest: dict[str, tuple[Mode, Work]] = {}
    for table, mode, work in (lock for each in transitions for lock in locked(each, comparison)):
        if table not in new:
            known = strongest.get(table, (mode, work))
            strongest[table] = (max(known[0], mode), max(known[1], work))
    if not strongest:
        tables = "the table is" if len(new) == 1 else "the tables are"
        return f"none that blocks; {tables} new." if new else "none on a table."
    grouped: dict[tuple[Mode, Work], list[str]] = {}
    for table, how in sorted(strongest.items()):
        grouped.setdefault(how, []).append(table)
    said = (
        f"{mode.name.replace('_', ' ')} on {listed(tables)}{_WORDS[work]}"
        for (mode, work), tables in sorted(grouped.items(), reverse=True)
    )
    return f"{'; '.join(said)}."


def locked(transition: Transition, comparison: Comparison) -> Iterator[Lock]:
    """The locks that come with a transition."""
    kind, action, table = transition.key.kind, transition.action, transition.table
    if action == "rename" and kind == "index":
        yield table, Mode.SHARE_UPDATE_EXCLUSIVE, Work.CATALOGUE
    elif action in ("rename", "cover") and kind in ("table", "column", "constraint"):
        yield table, *_CHANGED
    elif kind == "table":
        yield from _of_table(transition, comparison)
    elif kind == "column" and action != "number":
        yield table, *_of_column(transition, comparison)
    elif kind == "constraint":
        yield from _of_constraint(transition)
    elif kind == "enum" and action == "replace":
        for used, _ in used_by(comparison, transition.key):
            yield used, _ACCESS, Work.REWRITE
    elif kind == "domain" and action in ("change", "validate", "required"):
        for user in comparison.models.users_of(transition.key):
            column = comparison.models.find(Column, user)
            if column is not None and column.table in comparison.kept_tables:
                yield column.table, Mode.SHARE, Work.READ
    elif action not in ("comment", "number") and (
        kind not in VIEWS or transition.before is not None
    ):
        how = _OF_OBJECTS.get((kind, action)) or _OF_OBJECTS.get((kind, ""))
        if how is not None:
            yield table, *how


def _of_table(transition: Transition, comparison: Comparison) -> Iterator[Lock]:
    name, makes = transition.key.name, transition.action == "make"
    if transition.action == "comment":
        yield name, Mode.SHARE_UPDATE_EXCLUSIVE, Work.CATALOGUE
    elif transition.action == "change":
        before, after = transition.before, transition.after
        tables = [each for each in (before, after) if isinstance(each, Table)]
        rewritten = len({each.persistence for each in tables}) > 1
        yield name, _ACCESS, Work.REWRITE if rewritten else Work.CATALOGUE
    else:
        if transition.action == "drop":
            yield name, *_CHANGED
        mode = Mode.SHARE_ROW_EXCLUSIVE if makes else _ACCESS
        catalog = comparison.models if makes else comparison.database
        for constraint in catalog.of_table(Constraint, name).values():
            referred = object_operations.refers_to(constraint)
            if referred is not None and referred in comparison.kept_tables:
                yield referred, mode, Work.CATALOGUE


def _of_column(transition: Transition, comparison: Comparison) -> tuple[Mode, Work]:
    match transition.action:
        case "comment":
            return Mode.SHARE_UPDATE_EXCLUSIVE, Work.CATALOGUE
        case "proven":
            return Mode.SHARE_UPDATE_EXCLUSIVE, Work.READ
        case "not null":
            return _ACCESS, Work.READ
        case "retype":
            return _ACCESS, _type_change(transition, comparison)
        case "make" if isinstance(transition.after, Column):
            column = transition.after
            rewritten = fills_rows(column) or is_volatile(comparison, column)
            return _ACCESS, Work.REWRITE if rewritten else Work.CATALOGUE
        case action:
            return _ACCESS, Work.REWRITE if action == "remake" else Work.CATALOGUE


def _type_change(transition: Transition, comparison: Comparison) -> Work:
    before, after = transition.before, transition.after
    if not isinstance(before, Column) or not isinstance(after, Column):
        return Work.CATALOGUE  # a column that neither catalog has
    if not needs_no_rewrite(before.type, after.type):
        return Work.REWRITE
    kinds = {user.kind for user in comparison.database.users_of(transition.key)}
    if before.collation != after.collation and kinds & {"index", "constraint"}:
        # Indexes and keys are rebuilt for the other collation.
        return Work.INDEX
    return Work.READ if "constraint" in kinds else Work.CATALOGUE


def _of_constraint(transition: Transition) -> Iterator[Lock]:
    item, action = transition.after or transition.before, transition.action
    constraint = item if isinstance(item, Constraint) else None
    referred = None if constraint is None else object_operations.refers_to(constraint)
    if action == "comment":
        return
    if action in ("validate", "build"):
        work = Work.READ if action == "validate" else Work.INDEX
        yield transition.table, Mode.SHARE_UPDATE_EXCLUSIVE, work
        return
    mode, work = _CHANGED
    if action in ("make", "remake") and constraint is not None and constraint.validated:
        work = Work.READ if constraint.type in ("check", "foreign key") else Work.INDEX
    if action in ("make", "promise") and referred is not None:
        mode = Mode.SHARE_ROW_EXCLUSIVE
    yield transition.table, mode, work
    if referred is not None:
        yield referred, mode, work


def listed(names: list[str]) -> str:
    """The names with commas and a final and."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
