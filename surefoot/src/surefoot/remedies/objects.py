"""The objects whose safe form can be planned, by the rules that find them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from surefoot.rules.findings import Hit

if TYPE_CHECKING:
    from surefoot.catalog.model import Key

# The rules whose safe form is planned, and the kind of the object that a hit names.
_KINDS = {
    "require-concurrent-index": "index",
    "require-concurrent-index-drop": "index",
    "require-not-valid-check": "constraint",
    "require-not-valid-foreign-key": "constraint",
    "require-concurrent-unique": "constraint",
    "require-concurrent-primary-key": "constraint",
    "require-proven-not-null": "column",
    "avoid-type-change": "column",
    "avoid-dropping-a-column": "column",
    "avoid-required-column-without-default": "column",
}
# Those whose steps need nothing between them but their order.
CERTAIN = frozenset(rule for rule in _KINDS if rule.startswith("require-"))


def object_of(rule: str, hit: Hit) -> Key | None:
    """The object of a hit whose safe form can be planned."""
    kind, values = _KINDS.get(rule), hit.values
    if kind is None:
        return None
    from surefoot.catalog.model import Key  # noqa: PLC0415 - most findings have none

    name = str(values["column" if kind == "column" else "name"])
    return Key(kind, name if kind == "index" else f"{values['table']}.{name}")
