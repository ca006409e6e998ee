"""The body of env.py: where its connection comes from, and what it does with it."""

import asyncio
import sys
import textwrap
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from alembic import command
from alembic.config import Config
from fastapi import FastAPI
from sqlalchemy import Connection, text
from sqlalchemy.util.concurrency import greenlet_spawn

from app.db.engine import create_engine
from harness.databases import Database
from surefoot.errors import (
    DatabaseUnreachable,
    LockTimeoutMissing,
    LoopAlreadyRunning,
    RevisionUnknown,
    TransactionAlreadyOpen,
    UpgradeFailed,
)
from surefoot.run.commands import downgrade, upgrade
from surefoot.target import Target
from tests.integration.migrations.conftest import ROOT
from tests.support.settings import settings_of

INI = ROOT / "alembic.ini"


@pytest.mark.slow
async def test_upgrade_runs_in_a_loop_that_is_already_running(empty_database: Database) -> None:
    """The caller's loop and engine are used, and the report says what was done."""
    engine = create_engine(settings_of(empty_database.url), "migrate")
    report = await upgrade(Target.of(engine), "0003")
    assert report.database == empty_database.name
    assert (report.before, report.after) == ((), ("0003",))
    assert [step.revision for step in report.steps] == ["0001", "0002", "0003"]
    assert report.as_json()["schema_version"] == 1
    again = await upgrade(Target.of(engine), "0003")
    assert (again.steps, again.before, again.after) == ((), ("0003",), ("0003",))
    back = await downgrade(Target.of(engine), "-1")
    assert [(step.revision, step.direction) for step in back.steps] == [("0003", "downgrade")]
    await engine.dispose()


@pytest.mark.slow
async def test_upgrade_runs_in_a_lifespan_and_leaves_the_loop_free(
    empty_database: Database,
) -> None:
    """A FastAPI application can migrate while it starts; other tasks go on meanwhile."""
    beats = 0

    async def beat() -> None:
        nonlocal beats
        while True:
            beats += 1
            await asyncio.sleep(0.001)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        engine = create_engine(settings_of(empty_database.url), "migrate")
        app.state.report = await upgrade(Target.of(engine), "head")
        await engine.dispose()
        yield

    app = FastAPI(lifespan=lifespan)
    heart = asyncio.create_task(beat())
    async with app.router.lifespan_context(app):
        assert app.state.report.after
    heart.cancel()
    assert beats > 10


async def test_a_connection_without_a_lock_timeout_is_refused(empty_database: Database) -> None:
    """The service's own engine has none; a pooler may have dropped it. Nothing is done."""
    engine = create_engine(settings_of(empty_database.url), "app")
    with pytest.raises(LockTimeoutMissing) as caught:
        await upgrade(Target.of(engine), "head")
    assert caught.value.exit_code == 3
    assert engine.pool.checkedout() == 0  # type: ignore[attr-defined]  # a queue pool
    async with engine.connect() as connection:
        idle = "SELECT count(*) FROM pg_stat_activity WHERE state LIKE 'idle in%' AND datname = :d"
        found = await connection.scalar(text(idle), {"d": empty_database.name})
    assert found == 0
    await engine.dispose()


async def test_an_open_transaction_is_refused(empty_database: Database) -> None:
    """Alembic would take it for an outer one, commit nothing and report success."""
    engine = create_engine(settings_of(empty_database.url), "migrate")
    config = Config(INI)

    def call(connection: Connection) -> None:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")

    async with engine.connect() as connection:
        await connection.execute(text("SELECT 1"))
        with pytest.raises(TransactionAlreadyOpen) as caught:
            await connection.run_sync(call)
    assert caught.value.exit_code == 3
    assert "commit nothing and report success" in caught.value.message
    await engine.dispose()


async def test_a_plain_command_in_a_running_loop_is_refused(
    empty_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says what to await instead; nothing was opened."""
    monkeypatch.setenv("DATABASE_URL", empty_database.url)
    with pytest.raises(LoopAlreadyRunning) as caught:
        command.upgrade(Config(INI), "head")
    assert caught.value.help == 'use `await surefoot.upgrade(target, "head")`'


@pytest.mark.slow
async def test_a_plain_command_in_a_greenlet_uses_the_running_loop(
    empty_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLAlchemy's `greenlet_spawn` is a bridge that env.py finds by itself."""
    monkeypatch.setenv("DATABASE_URL", empty_database.url)
    config = Config(INI)
    await greenlet_spawn(command.upgrade, config, "head")
    assert config.attributes["report"].after


@pytest.mark.slow
async def test_a_script_can_upgrade(empty_database: Database) -> None:
    """`asyncio.run` around `upgrade` in a process of its own."""
    script = textwrap.dedent("""
        import asyncio
        from app.db.engine import create_engine
        from surefoot.run.commands import upgrade
        from surefoot.target import Target
        from app.settings import load_settings

        async def main():
            engine = create_engine(load_settings(), "migrate")
            report = await upgrade(Target.of(engine), "head")
            await engine.dispose()
            return len(report.steps)

        print(asyncio.run(main()))
    """)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", script),
        env={"DATABASE_URL": empty_database.url, "VEGAFS_ENV_FILE": "/dev/null"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    assert (process.returncode, out.decode(), err.decode()) == (0, "14\n", "")


@pytest.mark.slow
async def test_errors_reach_a_caller_as_exceptions(empty_database: Database) -> None:
    """A library raises; only a command prints and exits."""
    engine = create_engine(settings_of(empty_database.url), "migrate")
    with pytest.raises(RevisionUnknown):
        await upgrade(Target.of(engine), "nope")
    await upgrade(Target.of(engine), "0001")
    async with engine.begin() as connection:
        await connection.execute(text("CREATE TABLE jobs (id int)"))
    with pytest.raises(UpgradeFailed) as caught:
        await upgrade(Target.of(engine), "head")
    assert caught.value.revision == "0003"
    assert caught.value.applied == ("0002",)
    assert "(SQLSTATE 42P07)" in caught.value.reason
    await engine.dispose()
    nobody = create_engine(settings_of("postgresql://u@127.0.0.1:1/d"), "migrate")
    with pytest.raises(DatabaseUnreachable):
        await upgrade(Target.of(nobody), "head")
