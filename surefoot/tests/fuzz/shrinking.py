"""Makes a failing pair of models small: what can go without another failure goes."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from fuzz.models import Model, without
from fuzz.trial import Place, tried

# A pair has some thirty declarations; each round tries to leave out each of them.
MOST_TRIALS = 150


async def shrunk(
    connection: AsyncConnection,
    scratch: AsyncEngine | None,
    before: Model,
    after: Model,
    said: str,
    place: Place,
) -> tuple[Model, Model, str, str]:
    """The pair, how it fails, and its files; it still fails at the same step."""
    trials, files = 0, ""
    # Lint takes most of the time.
    linted = scratch if said.startswith("lint") else None
    while True:
        for smaller in _smaller(before, after):
            trials += 1
            if trials > MOST_TRIALS:
                return before, after, said, files
            found, text = await tried(connection, linted, *smaller, place)
            if found is not None and _step(found) == _step(said):
                (before, after), said, files = smaller, found, text
                break
        else:
            if not files:
                _, files = await tried(connection, linted, before, after, place)
            return before, after, said, files


def _step(said: str) -> str:
    return said.split(":", maxsplit=1)[0].split("\n", maxsplit=1)[0]


def _smaller(before: Model, after: Model) -> Iterator[tuple[Model, Model]]:
    """The pairs with one declaration, or one change, less."""
    was, now = ({each.name: each for each in model} for model in (before, after))
    for name in dict.fromkeys([*was, *now]):
        yield without(before, [name]), without(after, [name])
    for name in {*was, *now}:
        old, new = was.get(name), now.get(name)
        if old is not None and new is not None and old != new:
            yield before, [old if each.name == name else each for each in after]
            yield [new if each.name == name else each for each in before], after
        elif old is not None and new is None:
            yield without(before, [name]), after
        elif new is not None and old is None:
            yield before, without(after, [name])
