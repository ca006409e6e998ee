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
    named: dict[tuple[str, str], dict[str, None]] = {}
    for each in changes:
        key, action = each.key, "replace" if each.key in replaced else each.action
        if key in replaced or not each.title:
            said = _VERBS.get(action, "Change"), key.kind
            named.setdefault(said, {})[key.name] = None
        else:
            named[each.title, ""] = {}
    first, *rest = (_said(*said, [*names]) for said, names in named.items())
    return shown(", ".join((first, *(text[:1].lower() + text[1:] for text in rest))))


def _said(verb: str, kind: str, names: Sequence[str]) -> str:
    if kind == UNNAMED.kind:
        return verb if not names else "Change a table"
    noun = (
        "" if kind in ("table", "column") else f"the {kind if len(names) == 1 else plural(kind)} "
    )
    return f"{verb} {noun}{', '.join(names)}"
