"""The `Undo:` line of a revision: the effect of its downgrade, and the data that it loses."""

from collections.abc import Iterable
from dataclasses import replace
from typing import NamedTuple

from surefoot.autogenerate.locks import listed
from surefoot.autogenerate.transitions import Transition
from surefoot.catalog.kinds import Column, Index
from surefoot.catalog.widening import is_widening


class Phrase(NamedTuple):
    """`verb` name `one`, or `verb` names `many`; objects with the same phrase share it."""

    verb: str
    one: str = ""
    many: str = ""


def _both(verb: str, rest: str, one: str = "", many: str = "") -> Phrase:
    return Phrase(verb, rest.format(one), rest.format(many))


_DROP = Phrase("drop")
_DROP_WITH_CONTENT = Phrase("drop", " and its data", " and their data")
_BACK = Phrase("change", " back", " back")
_REQUIRED = ", which fails if there is a row because it is NOT NULL"
# Phrases that depend on the action alone: of any object, of a column.
_OF_ACTIONS = {
    "rename": Phrase("rename", " back", " back"),
    "cover": Phrase("rename", " back", " back"),
    "number": Phrase("restart", " at its first number", " at their first numbers"),
}
_OF_COLUMNS = {
    "make": _DROP_WITH_CONTENT,
    "nullable": _both("set NOT NULL on", " again, which fails if a row has no value"),
    "not null": Phrase("allow null in", " again", " again"),
    "promised": Phrase("allow null in", " again", " again"),
    "required": Phrase("allow null in", " again", " again"),
    "proven": Phrase("forbid null only in new rows for"),
    "default": Phrase("restore the old default of"),
    "identity": Phrase("restore the old identity of"),
    "comment": Phrase("restore the old comment of"),
}


def undo(transitions: Iterable[Transition]) -> str:
    """The text of the `Undo:` line; the last change comes first."""
    known = list(transitions)
    whole = {
        each.key.name
        for each in known
        if each.key.kind == "table" and each.action in ("make", "drop")
    }
    said: dict[Phrase, dict[str, None]] = {}
    made = {each.key for each in known if each.action in ("make", "promise")}
    for each in reversed(known):
        kind, action, is_made = each.key.kind, each.action, each.key in made
        # The state of a new table, and a new column, are dropped with it.
        if (kind == "column" and is_made and action != "make") or (
            (kind, action) == ("table", "change") and each.before is None
        ):
            continue
        # Objects that are created and dropped with their table are not listed.
        if kind == "table" or each.table not in whole:
            # An object that another revision creates again is dropped by this one.
            gone = action == "drop" and not is_made
            phrase = _phrase(replace(each, after=None) if gone else each)
            if phrase is not None:
                named = "type" if kind == "enum" else kind
                name = each.key.name if kind == "column" else f"the {named} {each.key.name}"
                said.setdefault(phrase, {})[name] = None
    phrases = (
        f"{phrase.verb} {listed(list(names))}{phrase.one if len(names) == 1 else phrase.many}"
        for phrase, names in said.items()
    )
    return f"{'; '.join(phrases) or 'nothing to undo'}."


def _phrase(transition: Transition) -> Phrase | None:
    kind, action = transition.key.kind, transition.action
    before, after = transition.before, transition.after
    if action in _OF_ACTIONS and (kind, action) != ("enum", "rename"):
        return _OF_ACTIONS[action]
    if kind == "domain" and action in ("promise", "validate", "required"):
        return _BACK
    if kind == "column":
        return _of_column(transition)
    if kind == "enum" and action in ("add", "replace"):
        fails = "; this rewrites {}, and fails if a row has a removed value"
        return _both("restore the old values of", fails, "its tables", "their tables")
    if action == "validate":
        return Phrase("mark", " NOT VALID again", " NOT VALID again")
    if action == "attach" and before is not None:
        return _both("build", " as {}, under ACCESS EXCLUSIVE", "it was", "they were")
    if action == "attach":
        again = " and build {} again, which blocks writes"
        return _both("drop", again, "its index", "their indexes")
    if action == "build":
        return Phrase("drop the index of") if kind == "constraint" else _DROP
    if action in ("make", "promise", "begin") and before is None:
        return _DROP_WITH_CONTENT if kind == "table" else _DROP
    if action == "unbuild" or (action == "drop" and after is None):
        if kind == "table":
            return _both("create", " again, without {} rows", "its", "their")
        if kind == "constraint" or (isinstance(before, Index) and before.unique):
            # It can be created only if the rows satisfy it.
            fails = " again, which fails if a row violates {}"
            return _both("create", fails, "it", "one of them")
        return _both("create", " again")
    return _BACK if action in ("make", "promise", "change", "comment", "rename") else None


def _of_column(transition: Transition) -> Phrase:
    before = transition.before if isinstance(transition.before, Column) else None
    after = transition.after if isinstance(transition.after, Column) else None
    required = before is not None and before.not_null
    match transition.action:
        case "drop":
            stops = required and before is not None and not before.has_own_value
            return _both("add", f" again, empty{_REQUIRED if stops else ''}")
        case "swapped":
            return _both(
                "restore the old type of", ", empty, which is refused if a row has a value"
            )
        case "retype":
            fits = after is None or before is None or is_widening(after.type, before.type)
            stopped = "" if fits else ", which fails if a value does not fit"
            return _both("restore the old type of", stopped)
        case action:
            return _OF_COLUMNS.get(action, _BACK)
