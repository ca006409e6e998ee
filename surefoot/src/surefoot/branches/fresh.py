"""fresh() replaces a development database by a new one; the old one stays until that is ready."""

import inspect
import traceback
import uuid
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import asyncpg
from sqlalchemy.ext.asyncio import AsyncEngine

from surefoot.chain.module import module_of
from surefoot.connect.database import Database
from surefoot.connect.failures import describe, explained
from surefoot.errors import DatabaseShared, OldDatabaseLeft, SeedsFailed, SeedsInvalid
from surefoot.frozen import dataclass
from surefoot.project import Project
from surefoot.quoting import quoted
from surefoot.wording import raised

SEEDS = "seeds.py"
# Its name while it runs; a package of the project may be called `seeds`.
_MODULE = "surefoot_seeds"
# In bytes, of which a name has 63 at most: the rest is for what makes it another one.
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
    old one; that is as it was, and the new one is gone. OldDatabaseLeft, where the old one cannot
    be dropped.
    """
    made, old = (_beside_name(name, kind) for kind in ("new", "old"))
    with explained(database.shown()):
        admin = await _beside(database, other_than(name)).connect("migrate")
        try:
            await admin.execute(f"CREATE DATABASE {quoted(made)}")
            try:
                await fill(_beside(database, made))
                await _take_name(admin, made, name, old)
            except BaseException:
                await admin.execute(f"DROP DATABASE IF EXISTS {quoted(made)} WITH (FORCE)")
                raise
            drop = f"DROP DATABASE {quoted(old)} WITH (FORCE)"
            try:
                await admin.execute(drop)
            except asyncpg.PostgresError as error:
                raise OldDatabaseLeft(name, old, describe(error), drop) from error
        finally:
            await admin.close()


def other_than(name: str) -> str:
    """A database that every server has: a session cannot rename its own one."""
    return "template1" if name == "postgres" else "postgres"


def seeds_of(project: Project) -> Path | None:
    """The file beside the folder of env.py that fills a new database; None without one."""
    path = project.folder.with_name(SEEDS)
    return path if path.is_file() else None


def seed_of(path: Path) -> Seed:
    """The function `seed` of that file. On failure: SeedsInvalid."""
    try:
        module = module_of(_MODULE, path, path.read_bytes())
    except (Exception, SystemExit) as error:
        raise SeedsInvalid(path.name, raised(error)) from error
    function = getattr(module, "seed", None)
    if not callable(function):
        raise SeedsInvalid(path.name, "it has no function seed(connection)")
    return Seed(path, function)


async def sow(seed: Seed, engine: AsyncEngine, kept: str) -> None:
    """Run that function in one transaction.

    On failure: SeedsFailed, with its line, and what is kept of its work.
    """
    try:
        async with engine.begin() as connection:
            if inspect.iscoroutinefunction(seed.function):
                await seed.function(connection)
            else:
                _check_done(await connection.run_sync(seed.function))
    except (Exception, SystemExit) as error:
        frames = traceback.extract_tb(error.__traceback__)
        lines = [each.lineno for each in frames if each.filename == str(seed.path)]
        place = f"{SEEDS}:{lines[-1]}" if lines else SEEDS
        raise SeedsFailed(place, raised(error), kept) from error


def _check_done(given: object) -> None:
    """On failure: TypeError, where the function has only made what would do its work."""
    if inspect.iscoroutine(given):
        given.close()
    if inspect.isawaitable(given) or inspect.isgenerator(given) or inspect.isasyncgen(given):
        kind = type(given).__name__.replace("_", " ")
        raise TypeError(f"it gave one {kind}, which has not run: write `def` or `async def seed`")


async def _take_name(admin: Any, made: str, name: str, old: str) -> None:
    """Both names at once: whatever ends this, one database has the name.

    On failure: DatabaseShared, where a session is connected.
    """
    try:
        async with admin.transaction():
            for each, new in ((name, old), (made, name)):
                await admin.execute(f"ALTER DATABASE {quoted(each)} RENAME TO {quoted(new)}")
    except asyncpg.ObjectInUseError as error:
        query = "SELECT application_name, pid FROM pg_stat_activity WHERE datname IN ($1, $2)"
        sessions = [
            f"a session is connected to it: {application or 'without a name'} (backend {pid})"
            for application, pid in await admin.fetch(query, name, made)
        ]
        raise DatabaseShared(name, sessions or [error.detail or describe(error)]) from None


def _beside_name(name: str, kind: str) -> str:
    """A name that no database has."""
    start = name.encode()[:_LONGEST].decode(errors="ignore")
    return f"{start}_{kind}_{uuid.uuid4().hex[:8]}"


def _beside(database: Database, name: str) -> Database:
    """Another database of the same server."""
    return database.at(
        urlsplit(str(database.url))._replace(path=f"/{quote(name, safe='')}").geturl()
    )
