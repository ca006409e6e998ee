"""The title of a revision that does not get the developer's message: its changes in words."""

from collections.abc import Sequence

from surefoot.autogenerate.change import UNNAMED, Change
from surefoot.catalog import Key
from surefoot.quoting import shown

_VERBS = {"make": "Add", "begin": "Add", "drop": "Drop", "rename": "Rename", "replace": "Replace"}


def title(changes: Sequence[Change]) -> str:
    """The titles of the changes in one, each once."""
    dropped = {each.key for each in changes if each.action == "drop"}
    replaced = dropped & {each.key for each in changes if each.action != "drop"}
    first, *rest = dict.fromkeys(
        _said(each.key, "replace")
        if each.key in replaced
        else each.title or _said(each.key, each.action)
        for each in changes
    )
    return shown(", ".join((first, *(text[:1].lower() + text[1:] for text in rest))))


def _said(key: Key, action: str) -> str:
    if key == UNNAMED:
        return "Change a table"
    kind = "" if key.kind in ("table", "column") else f"the {key.kind} "
    return f"{_VERBS.get(action, 'Change')} {kind}{key.name}"
