"""The `Undo:` line of a revision: what its downgrade does, and what it cannot bring back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import NamedTuple

from surefoot.autogenerate.retyping import is_widening
from surefoot.autogenerate.transitions import Transition
from surefoot.catalog.kinds import Column, Index


class Phrase(NamedTuple):
    """`verb` name `one`, or `verb` names `many`: phrases of the same words are said together."""

    verb: str
    one: str = ""
    many: str = ""


_DROP = Phrase("drop")
_DROP_WITH_CONTENT = Phrase("drop", " and what is in it", " and what is in them")
_MAKE = Phrase("make", " again", " again")
_BACK = Phrase("put", " back as it was", " back as they were")
_KEY_BUILT = ("build", "constraint")
_STOPPED = "which a row that breaks {} stops"


def undo(transitions: Iterable[Transition]) -> str:
    """The way back in words, the last change first as it is taken back."""
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
        # What is made again by another revision is gone by this one.
        transition = (
            each if each.action != "drop" or each.key in made else replace(each, after=None)
        )
        # What a table brings and takes along goes without saying.
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
        return "nothing to take back."
    return (
        "; ".join(
            f"{phrase.verb} {_listed(list(names))}{phrase.one if len(names) == 1 else phrase.many}"
            for phrase, names in said.items()
        )
        + "."
    )


def _phrases(transition: Transition) -> Iterator[Phrase]:
    if transition.action in ("rename", "cover") and transition.key.kind != "enum":
        yield Phrase("give", " its former name", " their former names")
    elif transition.action == "number":
        yield Phrase(
            "let", " begin at its first number again", " begin at their first numbers again"
        )
    elif transition.key.kind == "domain" and transition.action in (
        "promise",
        "validate",
        "required",
    ):
        yield _BACK
    elif transition.key.kind == "column":
        yield from _of_column(transition)
    elif transition.key.kind == "enum" and transition.action in ("add", "replace"):
        what = " former values, for which {} rewritten and which a row with one that goes stops"
        yield Phrase(
            "give",
            " its" + what.format("its tables are"),
            " their" + what.format("their tables are"),
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
            yield Phrase("make", " again, without its rows", " again, without their rows")
        elif transition.key.kind == "constraint" or (
            isinstance(transition.before, Index) and transition.before.unique
        ):
            # It comes back only where the rows keep to it.
            again = f" again, {_STOPPED}"
            yield Phrase("make", again.format("it"), again.format("one of them"))
        else:
            yield _MAKE
    elif transition.action in ("make", "promise", "rename", "change", "comment"):
        yield _BACK


def _of_constraint(transition: Transition) -> Phrase:
    if transition.action == "validate":
        return Phrase("take", " for not proven again", " for not proven again")
    if transition.action == "build":
        return Phrase("drop the index of")
    if transition.before is not None:
        again = " as {} while everybody waits"
        return Phrase("build", again.format("it was"), again.format("they were"))
    again = " and build {} again while writers wait"
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
            stopped = ", which any row stops because null is forbidden"
        yield Phrase("add", f" again, empty{stopped}", f" again, empty{stopped}")
    elif transition.action == "swapped":
        stopped = ", which any row stops because null is forbidden"
        empty = f" empty{stopped if required else ''}"
        yield Phrase("give", f" its former type,{empty}", f" their former types,{empty}")
    elif transition.action == "retype":
        fits = after is None or before is None or is_widening(after.type, before.type)
        stopped = "" if fits else ", which a value that does not fit stops"
        yield Phrase("give", f" its former type{stopped}", f" their former types{stopped}")
    elif transition.action == "nullable":
        stopped = " again, which a row without a value stops"
        yield Phrase("forbid null in", stopped, stopped)
    elif transition.action in ("not null", "promised", "required"):
        yield Phrase("allow null in", " again", " again")
    elif transition.action == "proven":
        yield Phrase("forbid no more than new nulls in")
    elif transition.action in ("default", "identity", "comment"):
        yield Phrase(
            "give", f" its former {transition.action}", f" their former {transition.action}"
        )
    else:
        yield _BACK


def _name(transition: Transition) -> str:
    kind = "type" if transition.key.kind == "enum" else transition.key.kind
    return transition.key.name if kind == "column" else f"the {kind} {transition.key.name}"


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
