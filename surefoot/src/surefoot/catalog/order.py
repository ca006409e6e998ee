"""The order in which objects can be created: each after those that it uses."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from surefoot.catalog.model import Key

# Objects of later kinds may need those of earlier ones. Known dependencies take precedence.
_TURN = (
    "extension",
    "collation",
    "text search dictionary",
    "text search configuration",
    "type",
    "enum",
    "domain",
    "sequence",
    "table",
    "partition",
    "column",
    "constraint",
    "index",
    "function",
    "procedure",
    "aggregate",
    "operator",
    "operator class",
    "materialized view",
    "view",
    "statistics",
    "rule",
    "policy",
    "trigger",
    "event trigger",
)


def in_order(keys: Iterable[Key], uses: Mapping[Key, frozenset[Key]]) -> list[Key]:
    """The objects, each after those that it uses."""
    wanted = set(keys)
    placed: list[Key] = []
    seen: set[Key] = set()

    def place(key: Key) -> None:
        if key in seen:
            return
        seen.add(key)
        for used in sorted(uses.get(key, ())):
            place(used)
        if key in wanted:
            placed.append(key)

    for key in sorted(wanted, key=lambda key: (_TURN.index(key.kind), key.name)):
        place(key)
    return placed
