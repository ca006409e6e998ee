"""An index of the same name is there already: an invalid one, or another one."""

from typing import Any

import asyncpg
import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import Connection as SyncConnection
from sqlalchemy import event

from harness.databases import Database, engine
from harness.runs import Chain, Launcher
from surefoot.compat.asyncpg import Connection
from surefoot.errors import ConnectionLost, Interrupted
from surefoot.run.commands import upgrade
from surefoot.run.interruption import Interruption
from surefoot.target import Target

INDEX = """
SELECT indisvalid, pg_get_indexdef(indexrelid) FROM pg_index
WHERE indexrelid = to_regclass('"T id"')
"""


@pytest.fixture
async def indexed(
    chain: Chain, launcher: Launcher, empty_database: Database, watcher: asyncpg.Connection
) -> Chain:
    """A revision that builds an index on a table that is there."""
    chain.add("op.execute('CREATE TABLE t AS SELECT g AS a, 1 AS b FROM generate_series(1, 9) g')")
    first = await launcher.alembic(chain, "upgrade", "head", url=empty_database.url)
    assert first.code == 0, first.err
    chain.add("op.create_index_concurrently('T id', 't', ['a'], postgresql_where=sa.text('b > 0'))")
    return chain


async def found(watcher: asyncpg.Connection) -> tuple[object, ...]:
    """Whether it is valid, and its definition."""
    row = await watcher.fetchrow(INDEX)
    assert row is not None
    return tuple(row)


WANTED = 'CREATE INDEX "T id" ON public.t USING btree (a) WHERE (b > 0)'


@pytest.mark.slow
async def test_an_invalid_one_is_rebuilt(
    indexed: Chain, launcher: Launcher, empty_database: Database, watcher: asyncpg.Connection
) -> None:
    """Whatever its definition: the leftover of a build that failed is of no use."""
    with pytest.raises(asyncpg.UniqueViolationError):
        await watcher.execute('CREATE UNIQUE INDEX CONCURRENTLY "T id" ON t (b)')
    assert (await found(watcher))[0] is False
    result = await launcher.alembic(indexed, "upgrade", "head", url=empty_database.url)
    assert result.code == 0, result.err
    assert await found(watcher) == (True, WANTED)


@pytest.mark.slow
async def test_the_same_one_is_left_alone(
    indexed: Chain, launcher: Launcher, empty_database: Database, watcher: asyncpg.Connection
) -> None:
    """The build of a run that was killed before it could record it."""
    await watcher.execute('CREATE INDEX "T id" ON t (a) WHERE 0 < b AND true')
    await watcher.execute('DROP INDEX "T id"; CREATE INDEX "T id" ON t (a) WHERE b > 0')
    before = await watcher.fetchval("SELECT '\"T id\"'::regclass::oid")
    result = await launcher.alembic(indexed, "upgrade", "head", url=empty_database.url)
    assert result.code == 0, result.err
    assert await watcher.fetchval("SELECT '\"T id\"'::regclass::oid") == before


@pytest.mark.slow
async def test_a_session_that_ends_in_the_comparison_is_said_to_have_ended(
    indexed: Chain,
    launcher: Launcher,
    empty_database: Database,
    watcher: asyncpg.Connection,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The copy of the table goes with it, and the same command goes on."""
    execute = Connection.execute

    async def ended(self: Any, query: str, *arguments: Any, **options: Any) -> str:
        if "ON pg_temp" in query:
            query = "SELECT pg_terminate_backend(pg_backend_pid())"
        return await execute(self, query, *arguments, **options)

    await watcher.execute('CREATE INDEX "T id" ON t (a) WHERE b > 0')
    async with engine(empty_database.access, "migrate") as made:
        with monkeypatch.context() as patched:
            patched.setattr(Connection, "execute", ended)
            with pytest.raises(ConnectionLost, match="terminating connection"):
                await upgrade(Target.of(made, indexed.ini))
        assert (await upgrade(Target.of(made, indexed.ini))).after == ("0002",)


@pytest.mark.slow
async def test_a_comparison_that_was_interrupted_is_repeated_in_the_same_session(
    indexed: Chain, empty_database: Database, watcher: asyncpg.Connection
) -> None:
    """The run sent nothing more, so the copy of the table was still there."""
    await watcher.execute('CREATE INDEX "T id" ON t (a) WHERE b > 0')
    config = Config(indexed.ini)
    async with engine(empty_database.access, "migrate") as made:
        interruption = Interruption(made.sync_engine)

        def stop(_connection: Any, _cursor: Any, sql: str, *_: Any) -> None:
            if "TEMPORARY TABLE" in sql and not interruption.requested:
                interruption.request()

        def call(connection: SyncConnection) -> None:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")

        event.listen(made.sync_engine, "after_cursor_execute", stop)
        async with made.connect() as connection:
            config.attributes["interruption"] = interruption
            with pytest.raises(Interrupted):
                await connection.run_sync(call)
            await interruption.end()
            copies = "SELECT count(*) FROM pg_class WHERE relname = 'alembic_copy'"
            assert await watcher.fetchval(copies) == 1
            del config.attributes["interruption"]
            await connection.run_sync(call)
    assert await found(watcher) == (True, WANTED)
    assert await watcher.fetchval("SELECT version_num FROM alembic_version") == "0002"


@pytest.mark.sample(3)
@pytest.mark.parametrize(
    "other",
    [
        'CREATE INDEX "T id" ON public.t USING btree (b) WHERE (b > 0)',
        'CREATE INDEX "T id" ON public.t USING btree (a)',
        'CREATE UNIQUE INDEX "T id" ON public.t USING btree (a) WHERE (b > 0)',
        'CREATE INDEX "T id" ON public.t USING hash (a) WHERE (b > 0)',
        'CREATE INDEX "T id" ON public.other USING btree (a) WHERE (b > 0)',
    ],
    ids=["column", "predicate", "unique", "method", "table"],
)
async def test_a_valid_one_with_another_definition_is_refused(
    indexed: Chain,
    launcher: Launcher,
    empty_database: Database,
    watcher: asyncpg.Connection,
    other: str,
) -> None:
    """Both definitions are shown, it stays as it was, and nothing is recorded as applied."""
    await watcher.execute("CREATE TABLE other (a int, b int)")
    await watcher.execute(other)
    result = await launcher.alembic(indexed, "upgrade", "head", url=empty_database.url)
    assert result.code == 3, result.err
    assert result.err.endswith(
        "REFUSED [index-differs]  there is a valid index T id with another definition\n"
        f"  found:  {other}\n"
        f"  wanted: {WANTED}\n"
        "  help: drop it, or give the new index another name\n"
    )
    assert await found(watcher) == (True, other)
    assert await watcher.fetchval("SELECT version_num FROM alembic_version") == "0001"
    assert (
        await watcher.fetchval("SELECT count(*) FROM pg_class WHERE relname = 'alembic_copy'") == 0
    )
