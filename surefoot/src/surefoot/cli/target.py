"""The database that a command is about."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from app.db.engine import create_engine
from app.settings import Settings, load_settings
from surefoot.cli import output
from surefoot.connect.url import DatabaseUrl
from surefoot.embedded import database
from surefoot.errors import TargetUnknown
from surefoot.run.target import Target

T = TypeVar("T")


def aimed(settings: Settings, target: str | None) -> Settings:
    """Settings whose database is the target's, or the one that is migrated where none is named.

    On failure: TargetUnknown, DatabaseUrlInvalid.
    """
    if target is None:
        url = settings.migrate_database_url or settings.database_url
    elif target in settings.targets:
        url = settings.targets[target]
        DatabaseUrl.parse(url.get_secret_value(), name=f"VEGAFS_TARGETS: {target}")
    else:
        raise TargetUnknown(target, sorted(settings.targets))
    return settings.model_copy(update={"database_url": url, "migrate_database_url": None})


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
