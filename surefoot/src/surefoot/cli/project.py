"""The project and the database that a command is about."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

import click
from sqlalchemy import Connection

from surefoot.cli import output
from surefoot.cli.targets import ENV_PY, chosen
from surefoot.connect.database import Database
from surefoot.connect.failures import explained
from surefoot.environment.environment import Environment, load
from surefoot.errors import ConfigurationInvalid, EnvironmentMissing
from surefoot.project import Project
from surefoot.target import Target

T = TypeVar("T")
json_option = click.option("--json", "json_", is_flag=True, help="One JSON object, not text.")


def opened() -> tuple[Environment, Project]:
    """The environment and the project of the ini file that the command line names.

    On failure: ConfigurationInvalid, EnvironmentMissing, and what env.py raises.
    """
    root = click.get_current_context().find_root()
    if isinstance(root.obj, Path):
        _refuse_unadopted(root.obj)
        root.obj = load(root.obj, first=root.meta.get(ENV_PY))
    found: tuple[Environment, Project] = root.obj
    return found


def _refuse_unadopted(ini: Path) -> None:
    """On failure: EnvironmentMissing, where env.py runs migrations without an Environment.

    It would connect to its database, or fail for want of it or of a driver.
    """
    with suppress(ConfigurationInvalid, OSError):
        path = Project.read(ini).folder / "env.py"
        if b"surefoot" not in path.read_bytes():
            from surefoot.adoption.reading import runs_migrations  # noqa: PLC0415 - rare

            if runs_migrations(path):
                raise EnvironmentMissing(str(path))


def project() -> Project:
    """The project. On failure: as `opened`."""
    return opened()[1]


def database() -> Database:
    """The target's database; without a target the one that is migrated, by its direct URL.

    On failure: TargetUnknown, DatabaseUrlInvalid.
    """
    target = chosen()
    found = opened()[0].resolved_database(target)
    if target is not None:
        found.location()
    return found if found.migrate_url is None else found.at(found.migrate_url)


@contextmanager
def serving() -> Iterator[Database]:
    """The same, on a server that is up as long as the block lasts."""
    with database().available(output.narrate) as named:
        yield named


def on_target(function: Callable[[Target], Awaitable[T]]) -> T:
    """The result of the function for the database that is migrated.

    On failure: what connecting can meet, and what the function raises.
    """

    with serving() as named:
        return on_database(named, function)


def on_database(named: Database, function: Callable[[Target], Awaitable[T]]) -> T:
    """The same for a database whose server is up. On failure: the same."""
    return asyncio.run(with_target(named, function))


async def with_target(named: Database, function: Callable[[Target], Awaitable[T]]) -> T:
    """The same in a loop that is running. On failure: the same."""
    engine = named.engine("migrate")
    try:
        with explained(engine.url):
            return await function(Target.of(engine, project()))
    finally:
        await engine.dispose()


def read_on(named: Database, look: Callable[[Connection], T]) -> T:
    """The result of the function on a read-only connection. On failure: as `on_target`."""

    async def run() -> T:
        engine = named.engine("observe")
        try:
            with explained(engine.url):
                async with engine.connect() as connection:
                    return await connection.run_sync(look)
        finally:
            await engine.dispose()

    return asyncio.run(run())
