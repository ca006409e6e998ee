"""Functions that a project hands to Alembic's EnvironmentContext run protected, or not at all."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import asyncpg
import pytest
from alembic.config import Config
from alembic.environment import EnvironmentContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from harness.databases import Database, engine
from harness.runs import Chain
from surefoot.errors import CommandUnknown

Make = Callable[[ScriptDirectory], Callable[..., Any]]
HELP = (
    "call upgrade(), downgrade() or stamp(); a function of your own may yield the "
    "steps of an upgrade and read, nothing else"
)


async def run(chain: Chain, database: Database, make: Make) -> None:
    """A project that runs a function of its own in its environment."""

    def call(connection: Connection) -> None:
        config = Config(chain.ini)
        config.attributes["connection"] = connection
        script = ScriptDirectory.from_config(config)
        with EnvironmentContext(config, script, fn=make(script)):
            script.run_env()

    async with engine(database.access, "migrate") as made, made.connect() as connection:
        await connection.run_sync(call)


@pytest.fixture
def two(chain: Chain) -> Chain:
    """Two revisions."""
    chain.add("op.execute('CREATE TABLE a (id int)')", "op.execute('DROP TABLE a')")
    chain.add("op.execute('CREATE TABLE b (id int)')", "op.execute('DROP TABLE b')")
    return chain


def upgrading(script: ScriptDirectory) -> Callable[..., Any]:
    def own(heads: Any, _context: Any) -> Any:
        return script._upgrade_revs("head", heads)

    return own


def downgrading(script: ScriptDirectory) -> Callable[..., Any]:
    def own(heads: Any, _context: Any) -> Any:
        return script._downgrade_revs("base", heads)

    return own


def writing(_script: ScriptDirectory) -> Callable[..., Any]:
    def own(_heads: Any, context: Any) -> Any:
        context.connection.exec_driver_sql("CREATE TABLE own (id int)")
        return ()

    return own


def committing(_script: ScriptDirectory) -> Callable[..., Any]:
    def own(_heads: Any, context: Any) -> Any:
        context.connection.exec_driver_sql("CREATE TABLE own (id int)")
        context.connection.commit()
        return ()

    return own


def reading(script: ScriptDirectory) -> Callable[..., Any]:
    """As Alembic's own `current` hands over, but with steps."""

    def own(heads: Any, _context: Any) -> Any:
        return script._upgrade_revs("head", heads)

    own.__module__, own.__qualname__ = "alembic.command", "current.<locals>.display_version"
    return own


async def test_an_upgrade_by_an_own_function_is_protected(
    two: Chain, empty_database: Database, watcher: asyncpg.Connection
) -> None:
    """Its revisions are in the ledger, which only a run with the mutex writes."""
    await run(two, empty_database, upgrading)
    rows = await watcher.fetch("SELECT revision, outcome FROM alembic_version_ledger ORDER BY id")
    assert [tuple(row) for row in rows] == [
        ("0001", "applied"),
        ("0002", "applied"),
        ("0002", "measured"),
    ]


@pytest.mark.parametrize(
    ("make", "reason"),
    [(writing, "writes by itself"), (committing, "commits by itself")],
)
async def test_an_own_function_that_writes_by_itself_is_refused(
    two: Chain, empty_database: Database, watcher: asyncpg.Connection, make: Make, reason: str
) -> None:
    """Nothing of it is kept, and the exit code says that a guard refused it."""
    with pytest.raises(CommandUnknown) as caught:
        await run(two, empty_database, make)
    name = f"{make.__name__}.<locals>.own"
    assert caught.value.render() == (
        f"REFUSED [command-unknown]  the environment was given the function {name!r}, which "
        f"{reason}; nothing is kept\n  help: {HELP}"
    )
    assert caught.value.exit_code == 3
    assert await watcher.fetchval("SELECT to_regclass('own') IS NULL")


@pytest.mark.slow
async def test_a_downgrade_by_an_own_function_is_refused(
    two: Chain, empty_database: Database, watcher: asyncpg.Connection
) -> None:
    """The guards of a downgrade are those of the command."""
    await run(two, empty_database, upgrading)
    with pytest.raises(CommandUnknown, match="reverts or stamps revisions"):
        await run(two, empty_database, downgrading)
    assert await watcher.fetchval("SELECT version_num FROM alembic_version") == "0002"


async def test_a_command_that_only_reads_runs_no_revision(
    two: Chain, empty_database: Database, watcher: asyncpg.Connection
) -> None:
    """Not even where Alembic, or somebody in its name, hands over steps."""
    with pytest.raises(CommandUnknown, match="runs revisions, while its command only reads"):
        await run(two, empty_database, reading)
    assert await watcher.fetchval("SELECT to_regclass('a') IS NULL")
