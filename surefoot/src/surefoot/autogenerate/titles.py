"""The title of a revision that does not get the developer's message: its changes in words."""

from collections.abc import Sequence

from surefoot.autogenerate.change import UNNAMED, Change
from surefoot.quoting import shown
from surefoot.wording import plural

_VERBS = {"make": "Add", "begin": "Add", "drop": "Drop", "rename": "Rename", "replace": "Replace"}


def title(changes: Sequence[Change]) -> str:
    """The titles of the changes in one; those of one kind that change alike are named together.

    An object that goes along with another one has no operation, and no name here.
    """
    changes = [each for each in changes if each.ops] or changes
    dropped = {each.key for each in changes if each.action == "drop"}
    replaced = dropped & {each.key for each in changes if each.action != "drop"}
    # By a verb and a kind, or by a title of its own.
    named: dict[tuple[str, str | None], dict[str, None]] = {}
    for each in changes:
        key, action = each.key, "replace" if each.key in replaced else each.action
        is_titled = each.title and key not in replaced
        said = (each.title, None) if is_titled else (_VERBS.get(action, "Change"), key.kind)
        named.setdefault(said, {})[key.name] = None
    first, *rest = (_said(*said, [*names]) for said, names in named.items())
    return shown(", ".join((first, *(text[:1].lower() + text[1:] for text in rest))))


def _said(verb: str, kind: str | None, names: Sequence[str]) -> str:
    if kind is None:
        return verb
    if kind == UNNAMED.kind:
        return "Change a table"
    noun = kind if len(names) == 1 else plural(kind)
    of_kind = "" if kind in ("table", "column") else f"the {noun} "
    return f"{verb} {of_kind}{', '.join(names)}"
