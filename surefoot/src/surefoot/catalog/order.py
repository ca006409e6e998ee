"""The order in which objects can be created: each after those that it uses."""

from collections.abc import Iterable, Mapping

from surefoot.catalog.kinds import KINDS
from surefoot.catalog.model import Key

# Known dependencies take precedence.
_TURN = tuple(KINDS)


def in_order(keys: Iterable[Key], uses: Mapping[Key, frozenset[Key]]) -> list[Key]:
    """The objects, each after those that it uses."""
    wanted = set(keys)
    placed: list[Key] = []
    seen: set[Key] = set()

    def place(key: Key) -> None:
        if key not in seen:
            seen.add(key)
            for used in sorted(uses.get(key, ())):
                place(used)
            if key in wanted:
                placed.append(key)

    for key in sorted(wanted, key=lambda key: (_TURN.index(key.kind), key.name)):
        place(key)
    return placed
