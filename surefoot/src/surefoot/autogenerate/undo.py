"""The `Undo:` line of a revision: the effect of its downgrade, and the data that it loses."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import NamedTuple

from surefoot.autogenerate.locks import listed
from surefoot.autogenerate.transitions import Transition
from surefoot.autogenerate.type_change import is_widening
from surefoot.catalog.kinds import Column, Index


class Phrase(NamedTuple):
    """`verb` name `one`, or `verb` names `many`; objects with the same phrase share it."""

    verb: str
    one: str = ""
    many: str = ""


_DROP = Phrase("drop")
_DROP_WITH_CONTENT = Phrase("drop", " and its data", " and their data")
_CREATE = Phrase("create", " again", " again")
_BACK = Phrase("change", " back", " back")
_KEY_BUILT = ("build", "constraint")
_FAILS = "which fails if a row violates {}"


def undo(transitions: Iterable[Transition]) -> str:
    """The text of the `Undo:` line; the last change comes first."""
    known = list(transitions)
    whole = {
        transition.key.name
        for transition in known
        if transition.key.kind == "table" and transition.action in ("make", "drop")
    }
    said: dict[Phrase, dict[str, None]] = {}
    made = {transition.key for transition in known if transition.action in ("make", "promise")}
    for each in reversed(known):
        if each.key.kind == "column" and each.key in made and each.action != "make":
            continue
        # An object that another revision creates again is dropped by this one.
        transition = (
            each if each.action != "drop" or each.key in made else replace(each, after=None)
        )
        # Objects that are created and dropped with their table are not listed.
        if (
            transition.key.kind == "table"
            and transition.action == "change"
            and transition.before is None
        ):
            continue
        if transition.key.kind == "table" or transition.table not in whole:
            for phrase in _phrases(transition):
                said.setdefault(phrase, {})[_name(transition)] = None
    if not said:
        return "nothing to undo."
    return (
        "; ".join(
            f"{phrase.verb} {listed(list(names))}{phrase.one if len(names) == 1 else phrase.many}"
            for phrase, names in said.items()
        )
        + "."
    )


def _phrases(transition: Transition) -> Iterator[Phrase]:
    if transition.action in ("rename", "cover") and transition.key.kind != "enum":
        yield Phrase("rename", " back", " back")
    elif transition.action == "number":
        yield Phrase("restart", " at its first number", " at their first numbers")
    elif transition.key.kind == "domain" and transition.action in (
        "promise",
        "validate",
        "required",
    ):
        yield _BACK
    elif transition.key.kind == "column":
        yield from _of_column(transition)
    elif transition.key.kind == "enum" and transition.action in ("add", "replace"):
        fails = "; this rewrites {}, and fails if a row has a removed value"
        yield Phrase(
            "restore the old values of", fails.format("its tables"), fails.format("their tables")
        )
    elif (
        transition.action in ("attach", "validate")
        or (transition.action, transition.key.kind) == _KEY_BUILT
    ):
        yield _of_constraint(transition)
    elif transition.action == "build" or (
        transition.action in ("make", "promise", "begin") and transition.before is None
    ):
        yield _DROP_WITH_CONTENT if transition.key.kind == "table" else _DROP
    elif transition.action == "unbuild" or (
        transition.action == "drop" and transition.after is None
    ):
        if transition.key.kind == "table":
            yield Phrase("create", " again, without its rows", " again, without their rows")
        elif transition.key.kind == "constraint" or (
            isinstance(transition.before, Index) and transition.before.unique
        ):
            # It can be created only if the rows satisfy it.
            again = f" again, {_FAILS}"
            yield Phrase("create", again.format("it"), again.format("one of them"))
        else:
            yield _CREATE
    elif transition.action in ("make", "promise", "rename", "change", "comment"):
        yield _BACK


def _of_constraint(transition: Transition) -> Phrase:
    if transition.action == "validate":
        return Phrase("mark", " NOT VALID again", " NOT VALID again")
    if transition.action == "build":
        return Phrase("drop the index of")
    if transition.before is not None:
        again = " as {}, under ACCESS EXCLUSIVE"
        return Phrase("build", again.format("it was"), again.format("they were"))
    again = " and build {} again, which blocks writes"
    return Phrase("drop", again.format("its index"), again.format("their indexes"))


def _of_column(transition: Transition) -> Iterator[Phrase]:
    before = transition.before if isinstance(transition.before, Column) else None
    after = transition.after if isinstance(transition.after, Column) else None
    required = before is not None and before.not_null
    if transition.action == "make":
        yield _DROP_WITH_CONTENT
    elif transition.action == "drop":
        stopped = ""
        if required and before is not None and not before.has_own_value:
            stopped = ", which fails if there is a row because it is NOT NULL"
        yield Phrase("add", f" again, empty{stopped}", f" again, empty{stopped}")
    elif transition.action == "swapped":
        stopped = ", which fails if there is a row because it is NOT NULL"
        empty = f" empty{stopped if required else ''}"
        yield Phrase("restore the old type of", f",{empty}", f",{empty}")
    elif transition.action == "retype":
        fits = after is None or before is None or is_widening(after.type, before.type)
        stopped = "" if fits else ", which fails if a value does not fit"
        yield Phrase("restore the old type of", stopped, stopped)
    elif transition.action == "nullable":
        stopped = " again, which fails if a row has no value"
        yield Phrase("set NOT NULL on", stopped, stopped)
    elif transition.action in ("not null", "promised", "required"):
        yield Phrase("allow null in", " again", " again")
    elif transition.action == "proven":
        yield Phrase("forbid null only in new rows for")
    elif transition.action in ("default", "identity", "comment"):
        yield Phrase(f"restore the old {transition.action} of")
    else:
        yield _BACK


def _name(transition: Transition) -> str:
    kind = "type" if transition.key.kind == "enum" else transition.key.kind
    return transition.key.name if kind == "column" else f"the {kind} {transition.key.name}"
