"""The planner orders the changes that the models need, and divides them into revisions.

    changes -> parts, each with its turn -> moved after what they need -> one revision for each turn
    and group, and another one for each further table that it would lock

It reads no database and no file.
"""

import itertools
from collections import abc
from collections.abc import Iterable, Iterator

from surefoot.autogenerate.allowances import MISSING
from surefoot.autogenerate.change import WINDOW, Change, Stage, Turn
from surefoot.autogenerate.comparison import Comparison
from surefoot.autogenerate.constraints import constraint_parts
from surefoot.autogenerate.domains import domain_changes
from surefoot.autogenerate.enums import enum_changes
from surefoot.autogenerate.identities import numbered
from surefoot.autogenerate.indexes import before_and_after, can_swap, index_parts, taken_over
from surefoot.autogenerate.lock_split import split_by_locks
from surefoot.autogenerate.object_operations import joined
from surefoot.autogenerate.objects import object_changes
from surefoot.autogenerate.phase import BEFORE, dropped, needs_its_column, phase
from surefoot.autogenerate.privileges import grant_again, privilege_changes
from surefoot.autogenerate.rendering import sql
from surefoot.autogenerate.tables import table_changes
from surefoot.autogenerate.titles import title
from surefoot.autogenerate.waiting import wait, wait_for_successors
from surefoot.catalog import Key
from surefoot.catalog.kinds import Constraint, Index, Sequence, TableObject
from surefoot.frozen import dataclass
from surefoot.quoting import quoted

_MADE = ("make", "remake", "promise", "attach")
# The groups of these turns are independent of each other.
_VALIDATING = (Turn.VALIDATE, Turn.PROMISE, Turn.PROVE, Turn.REQUIRE, Turn.LATE_VALIDATE)
# A new value of an enum is usable once it is committed; an index is rebuilt outside a transaction.
_ALONE = (Turn.EXTENSION, Turn.VALUES, Turn.INDEX, Turn.LATE_INDEX)
_AVAILABLE = "The server must have it available, and the role needs the right to create it."
# The turns of what needs filled columns.
_FILLED = {
    Turn.MAIN: Turn.LATE_KEYS,
    Turn.REWRITE: Turn.LATE_KEYS,
    Turn.INDEX: Turn.LATE_INDEX,
    Turn.SWAP: Turn.LATE_INDEX,
    Turn.KEYS: Turn.LATE_KEYS,
}
_BY_GROUP = (*_VALIDATING, Turn.KEYS, Turn.LATE_KEYS, Turn.COLUMNS, Turn.TABLES)


@dataclass(frozen=True)
class RevisionPlan:
    """One revision: its changes, its own title, and the notes for its docstring."""

    changes: tuple[Change, ...]
    # None where the developer's message is the title.
    title: str | None
    phase: str
    about: tuple[str, ...] = ()

    @property
    def is_online(self) -> bool:
        """Whether it says neither that it rewrites a table nor that it holds several locks."""
        return not any(each in about for about in self.about for each in (WINDOW, MISSING))


def changes_between(comparison: Comparison) -> list[Change]:
    """The changes that make the database equal to the models, in the order of their stages."""
    changes = [
        *(_beside("schema", each) for each in comparison.schemas),
        *(_beside("extension", *each) for each in comparison.extensions),
        *privilege_changes(comparison),
        *table_changes(comparison),
        *enum_changes(comparison),
        *object_changes(comparison),
    ]
    for change in changes:
        grant_again(change, comparison)
    return sorted(changes, key=lambda change: change.stage)


def _beside(kind: str, name: str, schema: str | None = None) -> Change:
    """A schema or an extension; the way back is refused while anything needs it."""
    there = "" if schema is None else f" SCHEMA {quoted(schema)}"
    make = sql(f"CREATE {kind.upper()} IF NOT EXISTS {quoted(name)}{there}")
    drop = sql(f"DROP {kind.upper()} {quoted(name)}")
    change = Change(Stage.TYPES, [make], [drop], "make", Key(kind, name))
    group, about = (name, _AVAILABLE) if kind == "extension" else ("", "")
    return change.at(Turn.EXTENSION, group, f"Create the {kind} {name}", about)


def plan(changes: abc.Sequence[Change], comparison: Comparison) -> list[RevisionPlan]:
    if not changes:
        return []
    parts = [part for change in changes for part in _parts(change, comparison)]
    for part in parts:
        wait(part, comparison)
    _move_before_needs(parts, comparison)
    _move_last(parts)
    _move_after_needs(parts, comparison)
    wait_for_successors(parts, comparison)
    _move_with_keys(parts, comparison)
    parts.sort(key=lambda part: _place(part, comparison))
    grouped = [
        revision
        for _, group in itertools.groupby(parts, lambda part: (part.turn, part.group))
        for revision in split_by_locks(group, comparison)
    ]
    if comparison.at_once:
        grouped = _joined(grouped)
    named, gone = _named(grouped), set[Key]()
    planned: list[RevisionPlan] = []
    for group in grouped:
        narrows, before = phase(group, comparison, gone)
        about = dict.fromkeys(part.about for part in group if part.about)
        if before and not any(BEFORE in each for each in about):
            about[before] = None
        own = None if group is named else title(group)
        planned.append(RevisionPlan(tuple(group), own, narrows, tuple(about)))
        gone |= {*dropped(group, comparison)}
    return planned


def _place(part: Change, comparison: Comparison) -> tuple[Turn, int, str]:
    """The place of a part among the revisions; a table goes before those that it inherits from."""

    def depth(table: str) -> int:
        return max((1 + depth(each) for each in comparison.database.parents(table)), default=0)

    group = part.group if part.turn in _BY_GROUP else ""
    # What is of no table comes behind the keys of all tables.
    return part.turn, -depth(group) if part.turn is Turn.TABLES else int(not group), group


def _joined(grouped: Iterable[list[Change]]) -> list[list[Change]]:
    """The revisions with those made one that fit one transaction."""
    found: list[list[Change]] = []
    for group in grouped:
        if found and not {found[-1][0].turn, group[0].turn}.intersection(_ALONE):
            found[-1] += group
        else:
            found.append(group)
    return found


def _parts(change: Change, comparison: Comparison) -> Iterator[Change]:
    """The parts of a change of a table in use, which block neither reads nor writes for long.

    Tables, columns and enums are divided already.
    """
    key, action, item = change.key, change.action, comparison.item(change.key)
    if key.kind in ("", "table", "column", "enum") or change.is_placed:
        yield change
    elif action == "rebuild":
        name = key.name.rpartition(".")[2]
        yield change.at(Turn.INDEX, name, f"Rebuild {name}")
    elif key.kind == "domain" and action in ("make", "change"):
        yield from domain_changes(change, comparison)
    elif isinstance(item, Sequence) and action in ("make", "change"):
        in_use = comparison.is_in_use((item.owned_by or "").rpartition(".")[0])
        yield from numbered(change) if in_use else (change,)
    elif action in ("change", "comment", "grant", "revoke"):
        yield change
    elif isinstance(item, TableObject) and item.table in comparison.gone_tables:
        yield _with_its_table(change, item, comparison)
    elif key.kind == "index":
        yield from index_parts(change, comparison)
    elif key.kind == "constraint":
        yield from constraint_parts(change, comparison)
    else:
        yield change


def _with_its_table(change: Change, item: TableObject, comparison: Comparison) -> Change:
    diff, kept = comparison.diff, comparison.kept_tables
    going = diff.recreated | {each for each in diff.removed if comparison.table_of(each) in kept}
    if comparison.database.needs(change.key) & going:
        return change  # a foreign key goes before the key that it needs
    if not change.ops:
        return change.at(Turn.TABLES, item.table)
    if not isinstance(item, Constraint) or item.type != "foreign key":
        return change.at(Turn.CONTRACT)
    return change.at(Turn.UNREFER, item.name, f"Drop {item.name} of {item.table}")


def _move_before_needs(parts: abc.Sequence[Change], comparison: Comparison) -> None:
    """Moves a foreign key before the index that it needs, where both are dropped."""
    unindexed = {part.key for part in parts if part.turn is Turn.UNINDEX}
    for part in parts:
        needs = comparison.database.needs(part.key)
        if (part.turn, part.stage) == (Turn.MAIN, Stage.DROP) and needs & unindexed:
            part.turn = Turn.BEFORE


def _move_last(parts: abc.Sequence[Change]) -> None:
    """Drops an object that no table needs any more together with its last user."""
    going = max(((part.turn, part.group) for part in parts), default=(Turn.MAIN, ""))
    if going[0] is Turn.LATE_UNINDEX:  # an index is dropped outside a transaction
        going = Turn.COLUMNS, ""
    for part in parts:
        if going[0] >= Turn.CONTRACT and part.stage is Stage.CLEAN:
            part.turn, part.group = going


def _move_after_needs(parts: abc.Sequence[Change], comparison: Comparison) -> None:
    """Moves each object after the objects that it needs."""
    ready: dict[Key, Turn] = {}
    indexed = {comparison.table_of(part.key) for part in parts if part.turn is Turn.INDEX}
    required = {part.key for part in parts if part.turn is Turn.PROMISE}
    for part in parts:
        key, turn, word = part.key, part.turn, part.action
        constraint = comparison.models.find(Constraint, key)
        kind = None if constraint is None else constraint.type
        uses = comparison.models.needs(key)
        late = word == "validate" and ready.get(key, turn) > turn
        # A primary key, and what refuses nulls, waits for its columns. A check, and a foreign key
        # of a default, wait for a release that writes their new columns, and for their backfills.
        if required & _filled(part, comparison):
            turn = _FILLED.get(turn, turn)
        elif (word == "identity" and key in required) or (
            word == "promise" and needs_its_column(key, comparison)
        ):
            turn = Turn.LATE_KEYS
        elif word == "promise" and kind == "foreign key":
            turn = Turn.KEYS if comparison.table_of(key) in indexed else turn
        elif late or (word == "number" and key in required):
            turn = Turn.LATE_VALIDATE
        if word in _MADE and turn is not Turn.INDEX:
            # A column can have a domain whose checks come later.
            needs = () if key.kind == "column" else uses
            turn = max([turn, *(ready[used] for used in needs if used in ready)])
            ready[key] = turn
        if key.kind == "index" and word == "build":
            # A foreign key can need it.
            ready[key] = Turn.KEYS if turn is Turn.INDEX else Turn.LATE_KEYS
        part.turn = turn


def _filled(part: Change, comparison: Comparison) -> frozenset[Key]:
    """The columns that must have a value in all rows before a change."""
    key = taken_over(part.key, comparison) or part.key
    item = comparison.models.objects.get(key)
    if not isinstance(item, Constraint | Index) or part.stage is not Stage.CREATE:
        return frozenset()
    refuses = "NULLS NOT DISTINCT" in item.definition or "MATCH FULL" in item.definition
    # A row could not refer to one without a value.
    if not refuses and (ends := joined(item)):
        return frozenset(ends.values())
    # The index of another primary key may be built before.
    is_key = part.action in ("attach", "make") and item.definition.startswith("PRIMARY KEY")
    return comparison.models.needs(key) if refuses or is_key else frozenset()


def _move_with_keys(parts: list[Change], comparison: Comparison) -> None:
    """Exchanges the foreign keys that need an exchanged key in the same transaction.

    A new key that takes them over is attached just before the exchange: on the way back a foreign
    key takes the first index that it finds, which has to be that of the old key.
    """
    models, attached = comparison.models, [part for part in parts if part.action == "attach"]
    exchanged = {part.key: part for part in attached if can_swap(part.key, comparison)}
    former = {before_and_after(key, comparison)[0]: exchanged[key] for key in exchanged}
    for part in attached:
        if (over := taken_over(part.key, comparison)) is not None:
            parts.remove(part)
            parts.insert(parts.index(exchanged[over]), part)
    moved: dict[Key | str | None, Change] = {}  # by foreign keys that leave, and their tables
    for part in parts:
        table = comparison.table_of(part.key)
        for key in comparison.database.needs(part.key) & former.keys():
            if part.stage is Stage.DROP:
                moved[part.key] = moved[table] = former[key]
        comes = models.needs(part.key) & exchanged.keys()
        found = moved.get(part.key) or (moved.get(table) if comes else None)
        if found is not None and part.action == "validate":
            part.turn = max(part.turn, Turn(found.turn + 1))
        elif found is not None and part.turn <= found.turn:
            part.turn, part.group = found.turn, found.group
            kept = {part.key, *models.users_of(found.key)} & models.objects.keys()
            if part.stage is Stage.DROP and table in map(comparison.table_of, kept):
                part.until = found.key


def _named(grouped: list[list[Change]]) -> list[Change]:
    """The revision that gets the developer's message as its title."""
    fits = (Turn.RENAME.__eq__, Turn.MAIN.__eq__, Turn.MAIN.__lt__)
    return next((group for fit in fits for group in grouped if fit(group[0].turn)), grouped[0])
