"""Whatever the database does under a service, /readyz tells it within two seconds.

An error that nobody foresaw is told by its name, and never by the verdict before it. /livez stays
green: a restart of the service would mend nothing.
"""

import os
import signal
import time
from collections.abc import AsyncIterator
from typing import Any

import anyio
import httpx
import pytest

from harness.clock import within
from harness.databases import Database, connect, execute, value
from harness.server import Server
from tests.support.service import serving
from tests.support.settings import settings_of

LIMIT_S = 2.0
READY = (200, "at-head")
FAILED, INVALID = (503, "database-failed"), (503, "version-row-invalid")
ALTERED, REPEATED = (503, "ledger-altered"), (503, "version-row-repeated")
VIEW = "ALTER TABLE alembic_version RENAME TO v; CREATE VIEW alembic_version AS "
# A change of the database, and the words that the summary of the answer then has.
ANSWERS = {
    "the column of the revision table is renamed": (
        "ALTER TABLE alembic_version RENAME version_num TO num",
        "UndefinedColumnError, SQLSTATE 42703",
    ),
    "a column of the ledger is renamed": (
        "ALTER TABLE alembic_version_ledger RENAME checksum TO sum",
        "UndefinedColumnError, SQLSTATE 42703",
    ),
    "the columns of the ledger have other types": (
        "ALTER TABLE alembic_version_ledger ALTER checksum TYPE bytea USING checksum::bytea",
        "checksum is bytea and was text",
    ),
    "the revision table has a row twice": (
        "ALTER TABLE alembic_version DROP CONSTRAINT alembic_version_pkc;"
        "INSERT INTO alembic_version TABLE alembic_version",
        "several rows 0014",
    ),
    "the revision table is a view that fails": (
        f"{VIEW} SELECT (1 / (length(version_num) - 4))::text AS version_num FROM v",
        "DivisionByZeroError, SQLSTATE 22012",
    ),
    "the revision table is a view that raises": (
        "CREATE FUNCTION boom() RETURNS text LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'boom' USING ERRCODE = 'ZZ123'; END $$;"
        f"{VIEW} SELECT boom() AS version_num FROM v",
        "SQLSTATE ZZ123",
    ),
    "the revision table holds numbers": (
        f"{VIEW} SELECT version_num::int AS version_num FROM v",
        "its version_num is 14",
    ),
    "the revision table holds a NULL": (
        f"{VIEW} SELECT NULLIF(version_num, version_num) AS version_num FROM v",
        "its version_num is NULL",
    ),
}


@pytest.fixture
async def served(database: Database) -> AsyncIterator[httpx.AsyncClient]:
    """A service without a worker, whose watch is on."""
    async with serving(settings_of(database.url).model_copy(update={"worker": False})) as client:
        await turns(client, READY)
        yield client


async def turns(client: httpx.AsyncClient, *expected: tuple[int, str]) -> tuple[float, Any]:
    """How long it took until /readyz said that, and its whole answer. Liveness never changes."""
    began_s = time.monotonic()
    told: Any = None
    with anyio.move_on_after(15):
        while True:
            answer = await client.get("/readyz")
            assert (await client.get("/livez")).status_code == 200
            took_s, told = time.monotonic() - began_s, answer.json()
            if (answer.status_code, told["code"]) in expected:
                return took_s, told
            await anyio.sleep(0.02)
    raise AssertionError(f"it is not {expected}: {told}")


@pytest.mark.sample(4)
@pytest.mark.parametrize(("statement", "names"), ANSWERS.values(), ids=ANSWERS)
async def test_an_answer_that_nobody_foresaw_is_told_by_its_name(
    served: httpx.AsyncClient, database: Database, statement: str, names: str
) -> None:
    """503 within two seconds; the API waits until the tables can be read again."""
    await execute(database.url, statement)
    took_s, told = await turns(served, FAILED, INVALID, ALTERED, REPEATED)
    assert took_s < within(LIMIT_S)
    assert names in told["summary"]
    assert told["fix"]
    assert (await served.get("/api/v1/files")).json()["code"] == "not-ready"


@pytest.mark.slow
async def test_a_database_that_takes_no_connections(
    served: httpx.AsyncClient, database: Database, server: Server
) -> None:
    """ALLOW_CONNECTIONS false, and the sessions are gone; it is ready again with the database."""
    name = database.name
    admin = await connect(server.url)
    try:
        await admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
        await admin.fetchval(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = $1", name
        )
        took_s, told = await turns(served, (503, "database-unreachable"))
        assert took_s < within(LIMIT_S)
        assert told["summary"].endswith(f'database "{name}" is not currently accepting connections')
        await admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
        await turns(served, READY)
    finally:
        await admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
        await admin.close()


@pytest.mark.slow
@pytest.mark.parametrize("table", ["alembic_version", "alembic_version_ledger"])
async def test_a_table_that_is_locked(
    served: httpx.AsyncClient, database: Database, table: str
) -> None:
    """It says that a lock is in the way; requests go on, as the schema is what it was."""
    blocker = await connect(database.url)
    async with blocker.transaction():
        await blocker.execute(f"LOCK TABLE {table}")
        took_s, _ = await turns(served, (503, "table-locked"))
        assert took_s < within(LIMIT_S)
        assert (await served.get("/api/v1/files")).status_code == 200
    await turns(served, READY)
    await blocker.close()


@pytest.mark.slow
async def test_a_session_that_stands_still(
    served: httpx.AsyncClient, database: Database, server: Server
) -> None:
    """Its connection is open and silent, and so is every new one: the network is gone."""
    if not server.is_ours:
        pytest.skip("the server's processes are not ours to stop")
    # Not the session of the comparison, which has the same name.
    watching = (
        "SELECT pid FROM pg_locks JOIN pg_stat_activity USING (pid) WHERE locktype = 'advisory' "
        "AND datname = current_database() AND application_name LIKE '%-watch@%' LIMIT 1"
    )
    with anyio.fail_after(10):
        while not (pid := await value(database.url, watching)):
            await anyio.sleep(0.02)
    first = "SELECT split_part(pg_read_file('postmaster.pid'), chr(10), 1)::int"
    postmaster = await value(database.url, first)
    stopped = (int(str(postmaster)), int(str(pid)))
    for each in stopped:
        os.kill(each, signal.SIGSTOP)
    try:
        took_s, told = await turns(served, (503, "database-unreachable"))
    finally:
        for each in stopped:
            os.kill(each, signal.SIGCONT)
    assert took_s < within(LIMIT_S)
    assert "no answer within" in told["summary"]
    await turns(served, READY)


@pytest.mark.slow
async def test_a_table_that_was_renamed_is_drift_when_it_is_asked(
    served: httpx.AsyncClient, database: Database
) -> None:
    """The next answer says so: nobody waits for the minute of the comparison."""
    await turns(served, READY)
    await execute(database.url, "ALTER TABLE files RENAME TO files_by_hand")
    began_s = time.monotonic()
    with anyio.fail_after(10):
        while not (await served.get("/readyz")).json()["drift"]:
            await anyio.sleep(0.02)
    assert time.monotonic() - began_s < within(LIMIT_S)
    refused = await served.get("/api/v1/files")
    assert (refused.status_code, refused.json()["code"]) == (503, "schema-drifted")


@pytest.mark.sample(4)
@pytest.mark.parametrize("statement", [each for each, _ in ANSWERS.values()], ids=ANSWERS)
async def test_the_page_shows_what_it_cannot_read(database: Database, statement: str) -> None:
    """The other parts are there, and no part is an old one."""
    settings = settings_of(database.url).model_copy(
        update={"worker": False, "environment": "development"}
    )
    async with serving(settings) as client:
        await execute(database.url, statement)
        answer = await client.get("/migrations.json")
        assert answer.status_code == 200
        assert answer.json()["headline"]["state"] in ("unreadable", "diverged")
        assert (await client.get("/migrations")).status_code == 200
