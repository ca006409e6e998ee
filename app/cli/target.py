"""The database that a command migrates, and a difference of schemas as people read it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from app.cli import output
from app.db.embedded import database
from app.db.engine import create_engine
from app.migrate.proof.catalog import Difference
from app.migrate.target import Target
from app.settings import Settings, load_settings

T = TypeVar("T")


def on_target(function: Callable[[Target], Awaitable[T]], settings: Settings | None = None) -> T:
    """What the function makes of the database that the settings name.

    On failure: what the settings and connecting can meet.
    """
    found = settings or load_settings()

    async def run(in_force: Settings) -> T:
        engine = create_engine(in_force, "migrate")
        try:
            return await function(Target.of(engine))
        finally:
            await engine.dispose()

    if found.migrate_database_url is not None:
        return asyncio.run(run(found))
    with database(found, narrate=output.narrate) as in_force:
        return asyncio.run(run(in_force))


def in_words(differences: Sequence[Difference]) -> list[str]:
    """One line or three for each: missing, unexpected, or changed with both values."""
    lines = []
    for difference in differences:
        what = f"{difference.kind} {difference.name}"
        if difference.attribute is not None:
            lines += [
                f"changed     {difference.attribute} of {what}",
                f"  - expected {difference.expected!r}",
                f"  + found    {difference.found!r}",
            ]
        elif difference.found is None:
            lines.append(f"missing     {what}")
        else:
            lines.append(f"unexpected  {what}")
    return lines
