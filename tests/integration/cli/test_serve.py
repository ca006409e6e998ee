"""`vegafs serve` as a process."""

import asyncio
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path

import httpx
import pytest

from app.db.engine import PROJECT, create_engine
from app.db.session import session_factory
from app.jobs.worker import Worker
from app.keys import repository as keys
from harness.clock import within
from harness.databases import WAITING, Database, connect
from harness.processes import eventually
from surefoot.chain.lockfile import read_lock
from tests.support.project import ROOT, run
from tests.support.service import Served, served, with_volumes
from tests.support.settings import settings_of

IDS = [revision.id for revision in read_lock(PROJECT.lock)]
HEAD = IDS[-1]
NO_LEDGER = "DROP TABLE alembic_version_ledger; DROP FUNCTION alembic_version_ledger_append_only"
QUIET = {"VEGAFS_WORKER": "false"}


async def execute(database: Database, statement: str) -> None:
    connection = await connect(database.url)
    await connection.execute(statement)
    await connection.close()


async def authorization(database: Database) -> dict[str, str]:
    """The header of a request with a key of that database."""
    engine = create_engine(settings_of(database.url), "app")
    async with session_factory(engine).begin() as session:
        key = await keys.create(session, "test")
    await engine.dispose()
    return {"Authorization": f"Bearer {key}"}


def end(service: Served) -> tuple[int, str]:
    """The exit code of a service that does not serve, and all that it said."""
    code = service.wait()
    return code, "\n".join(service.said)


@pytest.mark.slow
async def test_at_head_it_serves_until_it_is_told_to_stop(database: Database) -> None:
    """One line says where, one that it stopped; the exit code is 0."""
    with served(DATABASE_URL=database.url) as service:
        url = service.wait_until_it_serves()
        assert httpx.get(f"{url}/livez").json() == {"status": "alive"}
        assert httpx.get(f"{url}/readyz").json()["code"] == "at-head"
        assert httpx.get(f"{url}/docs").status_code == 200
        assert httpx.get(f"{url}/api/v1/files").status_code == 401
        began_s = time.monotonic()
        assert service.stop(signal.SIGTERM) == 0
        assert time.monotonic() - began_s < within(3)
    assert service.said == [f"OK  serving on {url}, documented at {url}/docs", "OK  stopped"]


@pytest.mark.slow
async def test_the_log_as_json(database: Database) -> None:
    """One object a line, also of what the command announces and of each request."""
    arguments = ("serve", "--log-format", "json", "--access-log")
    with served(*arguments, DATABASE_URL=database.url) as service:
        eventually(lambda: "serving on" in service.process.said, timeout_s=60)
        url = re.findall(r"serving on (\S+),", service.process.said)[0]
        assert httpx.get(f"{url}/livez?x=1").status_code == 200
        assert httpx.get(f"{url}/api/v1/files").status_code == 401
        assert service.stop(signal.SIGTERM) == 0
    lines = [json.loads(line) for line in service.said]
    for line in lines:
        assert datetime.fromisoformat(line["at"]).utcoffset() is not None, line
        assert line["level"] == "info", line
        assert {"logger", "message"} <= line.keys()
    assert lines[-1]["message"] == "OK  stopped"
    requests = [line for line in lines if line["logger"] == "uvicorn.access"]
    assert [(each["method"], each["path"], each["status"]) for each in requests] == [
        ("GET", "/livez?x=1", 200),
        ("GET", "/api/v1/files", 401),
    ]


@pytest.mark.sample(2)
@pytest.mark.parametrize("format_", ["json", "text"])
async def test_an_error_that_ends_it_is_in_the_log(empty_database: Database, format_: str) -> None:
    """With its code and its fields, and once."""
    environment = {
        "DATABASE_URL": empty_database.url,
        "VEGAFS_STARTUP_SCHEMA": "refuse",
        "VEGAFS_LOG_FORMAT": format_,
    }
    with served(**environment) as service:
        code, said = end(service)
    assert (code, said.count("never-migrated")) == (1, 1), said
    if format_ == "json":
        last = json.loads(said.splitlines()[-1])
        assert (last["level"], last["code"], last["exit_code"]) == ("error", "never-migrated", 1)
        assert last["help"]
    else:
        assert "[never-migrated]" in said


@pytest.mark.slow
async def test_the_level_of_the_log(database: Database) -> None:
    """Its own messages from there on; requests only where they are asked for."""
    with served("serve", "--log-level", "warning", DATABASE_URL=database.url) as service:
        url = service.wait_until_it_serves()
        assert httpx.get(f"{url}/livez").status_code == 200
        assert service.stop(signal.SIGTERM) == 0
    assert service.said == [f"OK  serving on {url}, documented at {url}/docs", "OK  stopped"]
    with served(
        "serve", "--access-log", DATABASE_URL=database.url, VEGAFS_LOG_LEVEL="error"
    ) as service:
        url = service.wait_until_it_serves()
        assert httpx.get(f"{url}/livez").status_code == 200
        assert service.stop(signal.SIGTERM) == 0
    assert any('"GET /livez HTTP/1.1" 200' in line for line in service.said), service.said


@pytest.mark.slow
async def test_with_migrate_it_brings_the_database_to_head_first(
    empty_database: Database,
) -> None:
    """Then it serves; a second start finds nothing to do. Ctrl-C stops it as SIGTERM does."""
    for number in (signal.SIGTERM, signal.SIGINT):
        with served("serve", "--migrate", DATABASE_URL=empty_database.url) as service:
            url = service.wait_until_it_serves()
            assert httpx.get(f"{url}/readyz").json()["code"] == "at-head"
            assert service.stop(number) == 0
        told = [re.sub(r"^[\d-]+ [\d:,]+  ", "", line) for line in service.said]
        assert told[-2:] == [f"OK  serving on {url}, documented at {url}/docs", "OK  stopped"]
        if number == signal.SIGTERM:
            assert told[0] == f"MIGRATE  before it serves; {url}/readyz has details"
            assert told[1] == f"APPLY  {empty_database.name}: {len(IDS)} revisions, base to {HEAD}"
            # The watch may see the last commit before the run has told of it.
            told.remove(f"ready: database {empty_database.name!r} is at head {HEAD}")
            assert re.fullmatch(f"OK  {len(IDS)} applied in .* s. Undo: .*", told[-3])
        else:
            assert len(told) == 2


@pytest.mark.sample(3)
@pytest.mark.parametrize(
    ("statement", "message"),
    [
        (
            f"{NO_LEDGER}; UPDATE alembic_version SET version_num = '0005'",
            "ERROR [database-behind]  database '{name}' is at 0005; this build needs "
            f"{HEAD} (pending: {', '.join(IDS[5:])})\n"
            "  help: run `alembic upgrade head`",
        ),
        (
            "UPDATE alembic_version SET version_num = '9999'",
            "ERROR [database-diverged]  database '{name}' and this build contradict each other: "
            "it is at 9999, which neither this build nor its ledger knows\n"
            "  help: deploy the build that has it, or restore the database that belongs to this "
            "one; a development database is taken back by `vegafs db goto`",
        ),
        (
            f"{NO_LEDGER}; DROP TABLE alembic_version",
            "ERROR [never-migrated]  database '{name}' was never migrated; this build needs "
            f"{HEAD}\n"
            "  help: run `alembic upgrade head`",
        ),
    ],
    ids=["behind", "diverged", "never migrated"],
)
async def test_on_another_revision_it_does_not_serve(
    database: Database, statement: str, message: str
) -> None:
    """Exit code 1, one message, no traceback; the port is never open."""
    await execute(database, statement)
    with served(DATABASE_URL=database.url, VEGAFS_STARTUP_SCHEMA="refuse") as service:
        assert end(service) == (1, message.format(name=database.name))


async def test_with_migrate_it_does_not_serve_on_a_database_that_nobody_knows(
    database: Database,
) -> None:
    """An older image must not touch what a newer one made."""
    await execute(database, "UPDATE alembic_version SET version_num = '9999'")
    with served("serve", "--migrate", DATABASE_URL=database.url) as service:
        assert end(service) == (
            1,
            f"ERROR [database-diverged]  database '{database.name}' and this build contradict "
            "each other: it is at 9999, which neither this build nor its ledger knows\n"
            "  help: deploy the build that has it, or restore the database that belongs to this "
            "one; a development database is taken back by `vegafs db goto`",
        )


@pytest.mark.slow
async def test_a_failing_migration_keeps_it_down(database: Database) -> None:
    """With that error's message and exit code."""
    await execute(database, f"{NO_LEDGER}; UPDATE alembic_version SET version_num = '0006'")
    with served("serve", "--migrate", DATABASE_URL=database.url) as service:
        code, said = end(service)
    assert code == 4
    assert "\nFAILED [run-failed]  0007 failed: " in said
    assert "missing_since" in said
    assert "Traceback" not in said


def test_without_an_answer_from_the_database_it_does_not_serve() -> None:
    """Exit code 75: trying again is safe."""
    with served(DATABASE_URL="postgresql://u:secret@127.0.0.1:1/gone") as service:
        assert end(service) == (
            75,
            "ERROR [database-unreachable]  database 'gone' at 127.0.0.1:1 cannot be reached: "
            "Connection refused\n"
            "  help: is the server up, and are host and port in DATABASE_URL right?",
        )


def test_in_production_it_wants_to_know_its_database() -> None:
    """There is no embedded one there."""
    with served(VEGAFS_ENVIRONMENT="production") as service:
        assert end(service) == (
            2,
            "ERROR [database-url-missing]  DATABASE_URL is not set, and the embedded server is "
            "for development only\n"
            "  help: set DATABASE_URL=postgresql://user:password@host:5432/database "
            "(or DATABASE_URL_FILE to a file that holds it)",
        )


async def test_a_port_that_is_taken_is_named(database: Database) -> None:
    """Before the database is touched."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = run(
            "vegafs",
            "serve",
            "--migrate",
            DATABASE_URL="postgresql://u:secret@127.0.0.1:1/gone",
            VEGAFS_PORT=str(port),
        )
    assert (done.code, done.out) == (2, "")
    assert done.err == (
        f"ERROR [port-busy]  the service cannot listen on 127.0.0.1 port {port}: "
        "Address already in use\n"
        f"  help: stop the process that uses it, or set VEGAFS_PORT={port + 1}\n"
    )


@pytest.mark.parametrize(
    ("host", "reason"),
    [
        ("203.0.113.7", "Cannot assign requested address"),
        ("no.such.host.invalid", ""),
        ("x" * 64, "it is no name of a host"),
    ],
)
def test_an_address_of_another_machine_is_named(host: str, reason: str) -> None:
    """No process uses it, and no other port would help."""
    url = "postgresql://u:secret@127.0.0.1:1/gone"
    done = run("vegafs", "serve", DATABASE_URL=url, VEGAFS_HOST=host, VEGAFS_PORT="8123")
    said = f"ERROR [address-unusable]  the service cannot listen on {host} port 8123: {reason}"
    assert (done.code, done.err.startswith(said), "Unknown error" in done.err) == (2, True, False)
    assert "help: set VEGAFS_HOST to an address of this machine" in done.err


async def test_stopped_before_it_serves_it_says_so(
    empty_database: Database,
) -> None:
    """143: here while its migration waits for a lock. Nothing is left behind."""
    await execute(
        empty_database, "CREATE TABLE alembic_version (version_num varchar(32) PRIMARY KEY)"
    )
    blocker = await connect(empty_database.url)
    async with blocker.transaction():
        await blocker.execute("LOCK TABLE alembic_version")
        with served("serve", "--migrate", DATABASE_URL=empty_database.url) as service:
            while not await blocker.fetchval(f"SELECT count(*) FROM {WAITING}"):
                await asyncio.sleep(0.02)
            assert service.stop(signal.SIGTERM) == 143
    assert service.said == ["INTERRUPTED  before it served"]
    await blocker.close()


@pytest.mark.slow
async def test_a_request_that_is_under_way_is_answered_before_it_stops(
    database: Database,
) -> None:
    """SIGTERM ends the listening at once and the service when the last answer is sent."""
    headers = await authorization(database)
    blocker = await connect(database.url)
    with served(DATABASE_URL=database.url, **QUIET) as service:
        url = service.wait_until_it_serves()
        async with httpx.AsyncClient(headers=headers) as client:
            while (await client.get(f"{url}/readyz")).json()["drift"] is None:
                # The comparison of the schema reads every table, too.
                await asyncio.sleep(0.02)
            async with blocker.transaction():
                await blocker.execute("LOCK TABLE files")
                request = asyncio.create_task(client.get(f"{url}/api/v1/files", timeout=10))
                while not await blocker.fetchval(f"SELECT count(*) FROM {WAITING}"):
                    await asyncio.sleep(0.02)
                service.process.signal(signal.SIGTERM)
                await asyncio.sleep(0.5)
                assert not service.process.has_ended
            assert (await request).status_code == 200
        assert await asyncio.to_thread(service.wait) == 0
    await blocker.close()


@pytest.mark.slow
async def test_its_worker_puts_its_job_back_when_it_is_stopped(
    database: Database, tmp_path: Path
) -> None:
    """In the middle of a scan, within a second or two, and the next one finishes it."""
    for number in range(2000):
        (tmp_path / str(number)).touch()
    headers = await authorization(database)
    watcher = await connect(database.url)
    with served(
        DATABASE_URL=database.url,
        VEGAFS_VOLUMES=f"data={tmp_path}",
        VEGAFS_SCAN_BATCH_ROWS="1",
        VEGAFS_WORKER_POLL_S="0.05",
    ) as service:
        url = service.wait_until_it_serves()
        job = httpx.post(
            f"{url}/api/v1/jobs", json={"operation": "scan", "volume": "data"}, headers=headers
        )
        assert job.status_code == 201
        while not await watcher.fetchval("SELECT count(*) FROM files"):
            await asyncio.sleep(0.02)
        began_s = time.monotonic()
        assert service.stop() == 0
        assert time.monotonic() - began_s < within(3)
    (row,) = await watcher.fetch("SELECT status::text, worker, attempts FROM jobs")
    assert tuple(row) == ("PENDING", None, 0)
    engine = create_engine(settings_of(database.url), "app")
    settings = with_volumes(settings_of(database.url), volumes={"data": tmp_path})
    assert await Worker(engine, settings).work_once()
    await engine.dispose()
    assert await watcher.fetchval("SELECT status::text FROM jobs") == "COMPLETED"
    assert await watcher.fetchval("SELECT count(*) FROM files") == 2000
    await watcher.close()


@pytest.mark.slow
async def test_uvicorn_alone_serves_it_too(database: Database) -> None:
    """`uvicorn --factory app.main:create_app`."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [
            str(Path(sys.executable).with_name("uvicorn")),
            *("--factory", "app.main:create_app", "--port", str(port)),
        ],
        cwd=ROOT,
        env={**os.environ, "DATABASE_URL": database.url},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    try:
        for _ in range(200):
            try:
                answer = httpx.get(f"http://127.0.0.1:{port}/readyz")
                break
            except httpx.ConnectError:
                await asyncio.sleep(0.05)
        assert answer.status_code == 200
    finally:
        process.terminate()
        process.communicate(timeout=20)
