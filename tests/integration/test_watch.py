"""A running service and its schema: what changes under it, and what it starts on."""

import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from fastapi import FastAPI
from pydantic import SecretStr

from app.db.engine import PROJECT, create_engine
from app.settings import Settings
from harness import pooler
from harness.databases import WAITING, Database, connect, engine, execute, value
from surefoot.chain.lockfile import read_lock
from surefoot.ledger.services import Service, living
from surefoot.run.commands import downgrade, upgrade
from surefoot.startup import watch
from surefoot.startup.check import Build
from surefoot.target import Target
from tests.support.project import ProjectChain, run
from tests.support.service import asked, plant, served, serving, with_volumes
from tests.support.settings import settings_of

REVISIONS = read_lock(PROJECT.lock)
HEAD = REVISIONS[-1].id
NEVER_S = 3600.0
PATIENCE_S = 30.0
READY = (200, "at-head")
BEHIND = (503, "database-behind")
NOT_READY = {
    "type": "urn:vegafs:not-ready",
    "title": "The service cannot serve on its database's schema",
    "status": 503,
    "detail": "the service cannot serve on its database's schema at the moment: behind",
    "instance": "/api/v1/files",
    "code": "not-ready",
    "help": "send a key to GET /readyz for the reason",
    "state": "behind",
}
WATCHES = (
    "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
    "WHERE datname = current_database() AND application_name LIKE '%-watch@%'"
)


@pytest.fixture
def notified(monkeypatch: pytest.MonkeyPatch) -> None:
    """The watch looks when it is told of a change, and never by itself."""
    monkeypatch.setattr(watch, "POLL_S", NEVER_S)


@pytest.fixture
def quiet(database: Database) -> Settings:
    """A service without a worker."""
    return settings_of(database.url).model_copy(update={"worker": False})


@pytest.fixture
async def target(database: Database) -> AsyncIterator[Target]:
    """A command that migrates the database by this build's revisions."""
    async with engine(database.access, "migrate") as made:
        yield Target.of(made)


async def turns(client: httpx.AsyncClient, expected: tuple[int, str]) -> dict[str, Any]:
    """The answer of /readyz once it has that state."""
    told: Any = None
    with anyio.move_on_after(PATIENCE_S):
        while True:
            answer = await client.get("/readyz")
            told = answer.json()
            if (answer.status_code, told["code"]) == expected:
                return dict(told)
            await anyio.sleep(0.01)
    raise AssertionError(f"it is not {expected}: {told}")


async def announced(service: FastAPI) -> None:
    """The watch has a session that migrations can see."""
    with anyio.fail_after(PATIENCE_S):
        while not service.state.watch.announced:
            await anyio.sleep(0.01)


async def seen(database: Database) -> tuple[Service, ...]:
    """The services that a migration would see."""
    async with engine(database.access, "observe") as made, made.connect() as connection:
        return await connection.run_sync(living, REVISIONS)


@pytest.mark.slow
@pytest.mark.usefixtures("notified")
async def test_a_downgrade_under_it_takes_it_out_until_the_upgrade(
    quiet: Settings, target: Target
) -> None:
    """By the ledger's notification alone. Requests are refused meanwhile, and it stays alive."""
    async with serving(quiet) as client:
        assert (await client.get("/api/v1/files")).status_code == 200
        await downgrade(target, "-1")
        body = await turns(client, BEHIND)
        assert body["pending"] == [HEAD]
        refused = await client.get("/api/v1/files")
        assert refused.headers["content-type"] == "application/problem+json"
        assert (refused.status_code, refused.json()) == (503, NOT_READY)
        assert int(refused.headers["Retry-After"]) > 0
        assert (await client.get("/livez")).json() == {"status": "alive"}
        await upgrade(target)
        await turns(client, READY)
        assert (await client.get("/api/v1/files")).status_code == 200


@pytest.mark.slow
async def test_a_schema_that_is_another_one_is_a_fact_and_no_reason(
    database: Database, quiet: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The service stays ready, and says that `vegafs drift` has something to list."""
    monkeypatch.setattr(watch, "COMPARE_EVERY_S", 0.02)
    async with serving(quiet) as client:
        for statement, drift in (
            (None, False),
            ("CREATE INDEX by_hand ON files (mode)", True),
            ("DROP INDEX by_hand", False),
        ):
            if statement is not None:
                await execute(database.url, statement)
            with anyio.fail_after(PATIENCE_S):
                while (body := await turns(client, READY))["drift"] is not drift:
                    await anyio.sleep(0.02)
            assert body["fix"] is None


@pytest.mark.slow
@pytest.mark.usefixtures("notified")
async def test_it_serves_on_while_newer_builds_expand_and_not_after_they_contract(
    quiet: Settings, target: Target, tmp_path: Path
) -> None:
    """Revisions ahead are listed; a contract revision that names this build is tolerated."""
    newer = ProjectChain(tmp_path / "newer", of_project=True)
    newer.add("op.execute('CREATE TABLE t (id int)')")
    newer.add("pass", phase="contract", requires_code=HEAD)
    newer.add("pass", phase="contract", requires_code="0015")
    theirs = Target.of(target.engine, newer.ini)
    async with serving(quiet) as client:
        for revision, code in (("0015", "ahead"), ("0016", "ahead")):
            await upgrade(theirs, revision)
            with anyio.fail_after(PATIENCE_S):
                while (body := await turns(client, (200, code)))["ahead"][-1] != revision:
                    await anyio.sleep(0.01)
            assert (await client.get("/api/v1/files")).status_code == 200
        await upgrade(theirs, "0017")
        body = await turns(client, (503, "database-ahead"))
        assert body["ahead"] == ["0015", "0016", "0017"]
        assert (await client.get("/api/v1/files")).status_code == 503
        assert (await client.get("/livez")).status_code == 200
        await downgrade(theirs, "0016")
        await turns(client, (200, "ahead"))
        await downgrade(theirs, HEAD)
        await turns(client, READY)


@pytest.mark.slow
@pytest.mark.skipif(pooler.PROGRAM is None, reason="PgBouncer is not installed")
async def test_behind_a_pooler_it_looks_by_itself(
    database: Database, target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No notification gets there, and no migration could see it: it does not claim to be seen."""
    monkeypatch.setattr(watch, "POLL_S", 0.1)
    with pooler.pooling(database.url) as url:
        settings = settings_of(url).model_copy(update={"worker": False})
        async with serving(settings) as client:
            await downgrade(target, "-1")
            await turns(client, BEHIND)
            await upgrade(target)
            await turns(client, READY)
            assert not asked(client).state.watch.announced
            assert await seen(database) == ()


@pytest.mark.slow
@pytest.mark.skipif(pooler.PROGRAM is None, reason="PgBouncer is not installed")
async def test_behind_a_pooler_its_page_is_read_by_the_direct_url(database: Database) -> None:
    changes = {"migrate_database_url": SecretStr(database.url), "environment": "development"}
    with pooler.pooling(database.url) as url:
        settings = settings_of(url).model_copy(update={"worker": False, **changes})
        async with serving(settings) as client:
            page = (await client.get("/migrations.json")).json()
    assert page["headline"]["state"] == "current", page["headline"]


@pytest.mark.slow
async def test_a_watch_that_loses_its_session_gets_another(
    quiet: Settings, database: Database, target: Target
) -> None:
    """The database is there, so the service stays ready; then it sees and is seen as before."""
    async with serving(quiet) as client:
        service = asked(client)
        await announced(service)
        (before,) = await seen(database)
        # The comparison of the schema may have a session of its own at the moment.
        assert await value(database.url, WATCHES) in (1, 2)
        with anyio.fail_after(PATIENCE_S):
            while service.state.watch.announced:
                assert (await client.get("/readyz")).status_code == 200
                await anyio.sleep(0.01)
        await announced(service)
        (after,) = await seen(database)
        assert after.revision == before.revision == HEAD
        assert after.pid != before.pid
        await downgrade(target, "-1")
        await turns(client, BEHIND)


@pytest.mark.slow
async def test_a_table_that_is_locked_takes_nobody_out_and_piles_nothing_up(
    quiet: Settings, database: Database
) -> None:
    """/readyz tells of it; requests go on, as the schema is what it was."""
    blocker = await connect(database.url)
    async with serving(quiet) as client:
        async with blocker.transaction():
            await blocker.execute("LOCK TABLE alembic_version")
            await turns(client, (503, "table-locked"))
            for _ in range(60):
                assert (await client.get("/api/v1/files")).status_code == 200
                queued = await blocker.fetchval(f"SELECT count(*) FROM {WAITING}")
                # The watch, the look for once, and the comparison.
                assert queued <= 3
                await anyio.sleep(0.1)
        await turns(client, READY)
    await blocker.close()


async def test_a_role_that_may_only_read_is_enough_to_watch(database: Database) -> None:
    """It announces itself, listens and looks: nothing of that is a write."""
    role = f"{database.name}_reader"
    await execute(
        database.url,
        f"CREATE ROLE {role} LOGIN; ALTER ROLE {role} SET default_transaction_read_only = on;"
        f"GRANT SELECT ON alembic_version, alembic_version_ledger TO {role}",
    )
    settings = settings_of(database.url.replace("://tester@", f"://{role}@"))
    made = create_engine(settings, "watch")
    watching = watch.Watch(made, Build.read(PROJECT.lock))
    async with watching.on():
        with anyio.fail_after(PATIENCE_S):
            while not watching.announced:
                await anyio.sleep(0.01)
        (service,) = await seen(database)
        assert service.revision == HEAD
    await made.dispose()
    await execute(database.url, f"DROP OWNED BY {role}; DROP ROLE {role}")


@pytest.mark.slow
async def test_the_worker_pauses_with_it(
    database: Database, target: Target, tmp_path: Path
) -> None:
    """No job is taken on a schema that is not its own, and the one in hand is put back."""
    plant(tmp_path, "a")
    settings = with_volumes(settings_of(database.url), volumes={"data": tmp_path}, worker=True)
    async with serving(settings) as client:
        await downgrade(target, "-1")
        await turns(client, BEHIND)
        await execute(
            database.url,
            "INSERT INTO volumes (name, root) VALUES ('data', '/') ON CONFLICT DO NOTHING;"
            "INSERT INTO jobs (operation, volume_id, path)"
            " SELECT 'scan', id, '' FROM volumes WHERE name = 'data'",
        )
        await anyio.sleep(20 * settings.worker_poll_s)
        assert await value(database.url, "SELECT status::text FROM jobs") == "PENDING"
        await upgrade(target)
        with anyio.fail_after(PATIENCE_S):
            while await value(database.url, "SELECT status::text FROM jobs") != "COMPLETED":
                await anyio.sleep(0.02)


# -- what it starts on --------------------------------------------------------------------------


@pytest.fixture
async def behind(database: Database, target: Target) -> Database:
    """A database that lacks this build's newest revision."""
    await downgrade(target, "-1")
    return database


@pytest.mark.slow
async def test_it_waits_for_the_migration_and_then_serves(behind: Database) -> None:
    """Probes are answered meanwhile, and nothing else."""
    with served(DATABASE_URL=behind.url) as service:
        url = service.wait_until_it_waits()
        assert httpx.get(f"{url}/livez").status_code == 200
        waiting = httpx.get(f"{url}/readyz")
        assert (waiting.status_code, waiting.json()["code"]) == BEHIND
        assert httpx.get(f"{url}/api/v1/files").json()["code"] == "not-ready"
        assert run("alembic", "upgrade", "head", DATABASE_URL=behind.url).code == 0
        assert service.wait_until_it_serves() == url
        assert httpx.get(f"{url}/readyz").json()["code"] == "at-head"
        assert httpx.get(f"{url}/api/v1/files").status_code == 401
        assert service.stop() == 0


@pytest.mark.slow
async def test_it_does_not_wait_for_ever(behind: Database) -> None:
    """Exit code 1, with what it waited for."""
    with served(DATABASE_URL=behind.url, VEGAFS_STARTUP_WAIT_S="0.3") as service:
        url = service.wait_until_it_waits()
        assert service.wait() == 1
    assert service.said == [
        f"WAIT  for the migration, at most 0.3 s; {url}/readyz has details",
        f"ERROR [database-behind]  database {behind.name!r} is at 0013; this build needs 0014 "
        "(pending: 0014)",
        "  help: run `alembic upgrade head`",
    ]


@pytest.mark.slow
async def test_stopped_while_it_waits_it_says_that_it_never_served(behind: Database) -> None:
    """143, as at any moment before it serves."""
    with served(DATABASE_URL=behind.url) as service:
        service.wait_until_it_waits()
        assert service.stop(signal.SIGTERM) == 143
    assert service.said[-1] == "INTERRUPTED  before it served"


@pytest.mark.slow
async def test_it_migrates_where_the_settings_say_so(behind: Database) -> None:
    """One container that does both."""
    with served(DATABASE_URL=behind.url, VEGAFS_STARTUP_SCHEMA="upgrade") as service:
        url = service.wait_until_it_serves()
        assert httpx.get(f"{url}/readyz").json()["code"] == "at-head"
        assert service.stop() == 0
    assert any("1 revision, 0013 to 0014" in line for line in service.said)


@pytest.mark.slow
async def test_ahead_it_says_so_when_it_starts(
    database: Database, target: Target, tmp_path: Path
) -> None:
    """One line in the log names what this build does not know."""
    newer = ProjectChain(tmp_path / "newer", of_project=True)
    newer.add("op.execute('CREATE TABLE t (id int)')")
    await upgrade(Target.of(target.engine, newer.ini))
    with served(DATABASE_URL=database.url) as service:
        url = service.wait_until_it_serves()
        assert httpx.get(f"{url}/readyz").json()["ahead"] == ["0015"]
        assert service.stop() == 0
    (line,) = (line for line in service.said if "ahead" in line)
    assert line.endswith(f"database {database.name!r} is ahead of 0014: 0015 (expand)")
