"""Changes is which objects are made, dropped, made anew or changed in place.

One change spreads: a column whose type changes takes the views on it along, a view those on that
view, an enum with other values the functions that take it. PostgreSQL refuses to change the one
under the other, and CASCADE would drop what nobody makes again.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from surefoot.autogenerate import wording
from surefoot.autogenerate.comparison import Comparison, changed, replaces
from surefoot.autogenerate.exchangeable import is_exchanged_enum
from surefoot.autogenerate.retyping import needs_no_rewrite
from surefoot.catalog import Attributes, Key

VIEWS = ("view", "materialized view")
ROUTINES = ("function", "procedure", "aggregate")
_REFUSED = (*VIEWS, *ROUTINES, "trigger", "rule", "policy")
# Made after tables and dropped before them; the others of these kinds the other way round.
AFTER_TABLES = (
    "constraint",
    "index",
    *ROUTINES,
    *VIEWS,
    "statistics",
    "rule",
    "policy",
    "trigger",
)
BEFORE_TABLES = ("type", "enum", "domain", "sequence")
KINDS = (*BEFORE_TABLES, *AFTER_TABLES)
_EASY: Mapping[str, frozenset[str]] = {
    "constraint": frozenset({"validated"}),
    "trigger": frozenset({"enabled"}),
    "function": frozenset({"definition", "language"}),
    "procedure": frozenset({"definition", "language"}),
    "sequence": frozenset({"definition", "owned by"}),
    "domain": frozenset({"not null", "default", "checks"}),
    "view": frozenset({"definition", "columns", "options"}),
    "enum": frozenset({"labels"}),
}


@dataclass
class Changes:
    """The objects by what becomes of them; tables and their columns apart."""

    added: set[Key] = field(default_factory=set)
    removed: set[Key] = field(default_factory=set)
    # Dropped and made again: as they are to be, or as they were, because something under them is.
    anew: set[Key] = field(default_factory=set)
    in_place: set[Key] = field(default_factory=set)
    # Generated columns that are dropped and added; those that become ordinary ones.
    remade: set[Key] = field(default_factory=set)
    freed: set[Key] = field(default_factory=set)
    # Enums whose values go or move, and with them a type.
    replaced: set[Key] = field(default_factory=set)
    # The others of these: their columns are filled beside the former.
    exchanged: set[Key] = field(default_factory=set)


def changes_of(comparison: Comparison) -> Changes:
    """What becomes of every object of `KINDS`, and of generated columns."""
    changes = Changes()
    found, expected = comparison.followed, comparison.models.objects
    for key in sorted({*found, *expected}):
        if key.kind == "column" and key in found and key in expected:
            _generated(changes, key, found[key], expected[key])
        if key.kind not in KINDS or _comes_along(comparison, key):
            continue
        if key not in found:
            changes.added.add(key)
        elif key not in expected:
            changes.removed.add(key)
        elif different := changed(comparison, key):
            easy = different <= _EASY.get(key.kind, frozenset()) | {"comment"}
            if easy and not (key.kind == "view" and _loses_columns(comparison, key)):
                changes.in_place.add(key)
            else:
                changes.anew.add(key)
            if key.kind == "enum" and replaces(found[key], expected[key]):
                if is_exchanged_enum(comparison, key):
                    changes.in_place.discard(key)
                    changes.exchanged.add(key)
                else:
                    changes.replaced.add(key)
    spread(comparison, changes)
    return changes


def _generated(changes: Changes, key: Key, found: Attributes, expected: Attributes) -> None:
    before, after = found["generated"], expected["generated"]
    retyped = any(found[part] != expected[part] for part in ("type", "collation"))
    if before is not None and after is None and str(before).endswith(" STORED"):
        changes.freed.add(key)
    elif before != after or (after is not None and retyped):
        changes.remade.add(key)


def _comes_along(comparison: Comparison, key: Key) -> bool:
    """Whether a table or a column brings the object with it and takes it away."""
    found, expected = comparison.database.objects.get(key), comparison.models.objects.get(key)
    attributes = found if expected is None else expected
    assert attributes is not None
    if key.kind in ("constraint", "index") and attributes["table"] in comparison.new_tables:
        # One that a statement beside the metadata makes comes after the table.
        named_by_server = (str(attributes["table"]), str(attributes.get("type")))
        return key in comparison.declared or named_by_server in comparison.nameless
    if key.kind == "constraint" and attributes["table"] in comparison.gone_tables:
        # Tables go in any order, and lock no other, when what they refer by went before.
        referred = wording.refers_to(attributes)
        other = referred is not None and referred != attributes["table"]
        return wording.is_plain(key, attributes) and not other
    owner = attributes.get("owned by")
    if key.kind == "sequence" and owner is not None and (found is None or expected is None):
        column = Key("column", str(owner))
        return (column in comparison.database.objects) != (column in comparison.models.objects)
    return False


def _loses_columns(comparison: Comparison, key: Key) -> bool:
    """Whether a view cannot be replaced in place: columns may be added at its end only."""
    before = comparison.followed[key]["columns"]
    after = comparison.models.objects[key]["columns"]
    assert isinstance(before, tuple)
    assert isinstance(after, tuple)
    if before == after:
        return False
    # The way back has to drop it, and then nothing may stand on it.
    used = comparison.database.users_of(key) | comparison.models.users_of(key)
    return bool(used) or after[: len(before)] != before


def spread(comparison: Comparison, changes: Changes) -> None:
    """Add what has to be made anew because something under it changes."""
    uses, kept = comparison.database.uses, comparison.models.objects
    retyped = {
        key
        for key, _ in comparison.database.of_kind("column")
        if key in kept and changed(comparison, key) & {"type", "collation"}
    }
    altered = retyped | {
        key for key in uses if key.kind == "column" and uses[key] & changes.replaced
    }
    # What is dropped takes nothing along: what stays has to be without it before.
    leaving = {key for key in comparison.database.objects if key not in kept}
    while True:
        gone = changes.anew | changes.remade | changes.freed
        before = len(gone)
        for user, used in uses.items():
            if user not in kept or user in gone:
                continue
            touched, under = used & (altered | changes.replaced), used & (gone | leaving)
            if user.kind == "column":
                if (touched or under) and kept[user]["generated"] is not None:
                    changes.remade.add(user)
            elif user.kind in KINDS and (
                under
                or (touched and user.kind in _REFUSED)
                or _is_read_again(comparison, user, used & retyped)
            ):
                changes.anew.add(user)
        if before == len(changes.anew | changes.remade | changes.freed):
            break
    changes.in_place -= changes.anew


def _is_read_again(comparison: Comparison, user: Key, columns: Collection[Key]) -> bool:
    """Whether PostgreSQL would read the table for the user alone, and leave the rows as they are.

    A check is proven again under a new type; an index has another order by a new collation. Where
    the rows are written anew it makes both by itself.
    """
    found, expected = comparison.database.objects, comparison.models.objects
    if not columns or not all(
        needs_no_rewrite(str(found[column]["type"]), str(expected[column]["type"]))
        for column in columns
    ):
        return False
    if user.kind == "constraint" and found[user]["type"] == "check":
        return True
    sorted_anew = any(found[each]["collation"] != expected[each]["collation"] for each in columns)
    return sorted_anew and user.kind == "index"
