"""The `Undo:` line of a revision: what its downgrade does, and what it cannot bring back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import NamedTuple

from surefoot.autogenerate.facts import Fact
from surefoot.autogenerate.retyping import is_widening
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


def undo(facts: Iterable[Fact]) -> str:
    """The way back in words, the last change first as it is taken back."""
    known = list(facts)
    whole = {
        fact.key.name
        for fact in known
        if fact.key.kind == "table" and fact.word in ("make", "drop")
    }
    said: dict[Phrase, dict[str, None]] = {}
    made = {fact.key for fact in known if fact.word in ("make", "promise")}
    for each in reversed(known):
        if each.key.kind == "column" and each.key in made and each.word != "make":
            continue
        # What is made again by another revision is gone by this one.
        fact = each if each.word != "drop" or each.key in made else replace(each, after=None)
        # What a table brings and takes along goes without saying.
        if fact.key.kind == "table" and fact.word == "change" and fact.before is None:
            continue
        if fact.key.kind == "table" or fact.table not in whole:
            for phrase in _phrases(fact):
                said.setdefault(phrase, {})[_name(fact)] = None
    if not said:
        return "nothing to take back."
    return (
        "; ".join(
            f"{phrase.verb} {_listed(list(names))}{phrase.one if len(names) == 1 else phrase.many}"
            for phrase, names in said.items()
        )
        + "."
    )


def _phrases(fact: Fact) -> Iterator[Phrase]:
    if fact.word in ("rename", "cover") and fact.key.kind != "enum":
        yield Phrase("give", " its former name", " their former names")
    elif fact.word == "number":
        yield Phrase(
            "let", " begin at its first number again", " begin at their first numbers again"
        )
    elif fact.key.kind == "domain" and fact.word in ("promise", "validate", "required"):
        yield _BACK
    elif fact.key.kind == "column":
        yield from _of_column(fact)
    elif fact.key.kind == "enum" and fact.word in ("add", "replace"):
        what = " former values, for which {} rewritten and which a row with one that goes stops"
        yield Phrase(
            "give",
            " its" + what.format("its tables are"),
            " their" + what.format("their tables are"),
        )
    elif fact.word in ("attach", "validate") or (fact.word, fact.key.kind) == _KEY_BUILT:
        yield _of_constraint(fact)
    elif fact.word == "build" or (
        fact.word in ("make", "promise", "begin") and fact.before is None
    ):
        yield _DROP_WITH_CONTENT if fact.key.kind == "table" else _DROP
    elif fact.word == "unbuild" or (fact.word == "drop" and fact.after is None):
        if fact.key.kind == "table":
            yield Phrase("make", " again, without its rows", " again, without their rows")
        elif fact.key.kind == "constraint" or (
            isinstance(fact.before, Index) and fact.before.unique
        ):
            # It comes back only where the rows keep to it.
            again = f" again, {_STOPPED}"
            yield Phrase("make", again.format("it"), again.format("one of them"))
        else:
            yield _MAKE
    elif fact.word in ("make", "promise", "rename", "change", "comment"):
        yield _BACK


def _of_constraint(fact: Fact) -> Phrase:
    if fact.word == "validate":
        return Phrase("take", " for not proven again", " for not proven again")
    if fact.word == "build":
        return Phrase("drop the index of")
    if fact.before is not None:
        again = " as {} while everybody waits"
        return Phrase("build", again.format("it was"), again.format("they were"))
    again = " and build {} again while writers wait"
    return Phrase("drop", again.format("its index"), again.format("their indexes"))


def _of_column(fact: Fact) -> Iterator[Phrase]:
    before = fact.before if isinstance(fact.before, Column) else None
    after = fact.after if isinstance(fact.after, Column) else None
    required = before is not None and before.not_null
    if fact.word == "make":
        yield _DROP_WITH_CONTENT
    elif fact.word == "drop":
        stopped = ""
        if required and before is not None and not before.has_own_value:
            stopped = ", which any row stops because null is forbidden"
        yield Phrase("add", f" again, empty{stopped}", f" again, empty{stopped}")
    elif fact.word == "exchanged":
        stopped = ", which any row stops because null is forbidden"
        empty = f" empty{stopped if required else ''}"
        yield Phrase("give", f" its former type,{empty}", f" their former types,{empty}")
    elif fact.word == "retype":
        fits = after is None or before is None or is_widening(after.type, before.type)
        stopped = "" if fits else ", which a value that does not fit stops"
        yield Phrase("give", f" its former type{stopped}", f" their former types{stopped}")
    elif fact.word == "nullable":
        stopped = " again, which a row without a value stops"
        yield Phrase("forbid null in", stopped, stopped)
    elif fact.word in ("not null", "promised", "required"):
        yield Phrase("allow null in", " again", " again")
    elif fact.word == "proven":
        yield Phrase("forbid no more than new nulls in")
    elif fact.word in ("default", "identity", "comment"):
        yield Phrase("give", f" its former {fact.word}", f" their former {fact.word}")
    else:
        yield _BACK


def _name(fact: Fact) -> str:
    kind = "type" if fact.key.kind == "enum" else fact.key.kind
    return fact.key.name if kind == "column" else f"the {kind} {fact.key.name}"


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
