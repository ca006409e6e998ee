"""fresh() replaces a development database by a new one; the old one stays until that is ready."""

import inspect
import traceback
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import quote, urlsplit

import asyncpg
from sqlalchemy.ext.asyncio import AsyncEngine

from surefoot.connect.database import Database
from surefoot.connect.failures import explained
from surefoot.errors import DatabaseShared, SeedsFailed, SeedsInvalid
from surefoot.project import Project
from surefoot.quoting import quoted

SEEDS = "seeds.py"
# The database that every server has, to be connected to meanwhile.
_OTHER = "postgres"
_LONGEST = 40


@dataclass(frozen=True)
class Seed:
    """The function of a file, which gets a connection of SQLAlchemy.

    That is an asynchronous one where the function is a coroutine.
    """

    path: Path
    function: Callable[..., Any]


async def fresh(database: Database, name: str, fill: Callable[[Database], Awaitable[None]]) -> None:
    """Make a database, let `fill` fill it, and give it the name of the old one, which is dropped.

    On failure: what `fill` and connecting meet, DatabaseShared where a session is connected to the
    old one; that is as it was, and the new one is gone.
    """
    made, old = (f"{name[:_LONGEST]}_{kind}_{uuid.uuid4().hex[:8]}" for kind in ("new", "old"))
    with explained(database.shown()):
        admin = await _beside(database, _OTHER).connect("migrate")
    try:
        with explained(database.shown()):
            await admin.execute(f"CREATE DATABASE {quoted(made)}")
        try:
            await fill(_beside(database, made))
            await _take_name(admin, made, name, old)
        except BaseException:
            await admin.execute(f"DROP DATABASE IF EXISTS {quoted(made)} WITH (FORCE)")
            raise
        await admin.execute(f"DROP DATABASE {quoted(old)} WITH (FORCE)")
    finally:
        await admin.close()


def seeds_of(project: Project) -> Path | None:
    """The file beside the folder of env.py that fills a new database; None without one."""
    path = project.folder.with_name(SEEDS)
    return path if path.is_file() else None


def seed_of(path: Path) -> Seed:
    """The function `seed` of that file. On failure: SeedsInvalid."""
    module = ModuleType("seeds")
    module.__file__ = str(path)
    try:
        code = compile(path.read_bytes(), str(path), "exec")
        exec(code, vars(module))  # noqa: S102 - of the project itself
    except (Exception, SystemExit) as error:
        raise SeedsInvalid(path.name, f"{type(error).__name__}: {error}") from error
    function = getattr(module, "seed", None)
    if not callable(function):
        raise SeedsInvalid(path.name, "it has no function seed(connection)")
    return Seed(path, function)


async def sow(seed: Seed, engine: AsyncEngine) -> None:
    """Run that function in one transaction. On failure: SeedsFailed, with its line."""
    try:
        async with engine.begin() as connection:
            if inspect.iscoroutinefunction(seed.function):
                await seed.function(connection)
            else:
                await connection.run_sync(seed.function)
    except Exception as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        frames = traceback.extract_tb(error.__traceback__)
        lines = [each.lineno for each in frames if each.filename == str(seed.path)]
        raise SeedsFailed(f"{SEEDS}:{lines[-1]}" if lines else SEEDS, reason) from error


async def _take_name(admin: Any, made: str, name: str, old: str) -> None:
    """Both names at once: whatever ends this, one database has the name.

    On failure: DatabaseShared, where a session is connected.
    """
    try:
        async with admin.transaction():
            for each, new in ((name, old), (made, name)):
                await admin.execute(f"ALTER DATABASE {quoted(each)} RENAME TO {quoted(new)}")
    except asyncpg.ObjectInUseError:
        query = "SELECT application_name, pid FROM pg_stat_activity WHERE datname IN ($1, $2)"
        sessions = [
            f"a session is connected to it: {application or 'without a name'} (backend {pid})"
            for application, pid in await admin.fetch(query, name, made)
        ]
        raise DatabaseShared(name, sessions or ["a session was connected to it"]) from None


def _beside(database: Database, name: str) -> Database:
    """Another database of the same server."""
    return database.at(
        urlsplit(str(database.url))._replace(path=f"/{quote(name, safe='')}").geturl()
    )
