"""Many processes upgrade one database at once."""

import asyncpg
import pytest

from harness.databases import Database
from harness.runs import Chain, Launcher, one_applied

PROCESSES = [6, pytest.param(50, marks=pytest.mark.slow)]


def ran(chain: Chain, number: int) -> str:
    """A revision that makes a table, and leaves a row each time its body runs."""
    table = f"t{number}"
    return chain.add(
        f"""
        op.create_table("{table}", sa.Column("id", sa.Integer, primary_key=True))
        op.execute("INSERT INTO ran (revision) VALUES ('{table}')")
        """
    )


@pytest.fixture
async def counted(chain: Chain, watcher: asyncpg.Connection) -> Chain:
    """A chain whose revisions count how often they ran."""
    chain.add("op.execute('CREATE TABLE ran (revision text NOT NULL)')")
    for number in range(1, 6):
        ran(chain, number)
    return chain


@pytest.mark.parametrize("processes", PROCESSES)
async def test_one_of_many_migrates_an_empty_database(
    counted: Chain,
    launcher: Launcher,
    empty_database: Database,
    watcher: asyncpg.Connection,
    processes: int,
) -> None:
    """All exit 0; one applied everything, and every body ran once."""
    runs = await launcher.start_many(
        counted, "upgrade", "head", count=processes, url=empty_database.url
    )
    one_applied([await run.end() for run in runs], applied=6)
    rows = await watcher.fetch("SELECT revision, count(*) FROM ran GROUP BY 1 ORDER BY 1")
    assert [tuple(row) for row in rows] == [(f"t{n}", 1) for n in range(1, 6)]
    ledger = await watcher.fetch("SELECT revision, outcome FROM alembic_version_ledger ORDER BY id")
    applied = [(identifier, "applied") for identifier in counted.ids]
    assert [tuple(row) for row in ledger] == [*applied, (counted.ids[-1], "measured")]


@pytest.mark.slow
@pytest.mark.parametrize("processes", PROCESSES)
async def test_one_of_many_applies_the_last_three(
    counted: Chain,
    launcher: Launcher,
    empty_database: Database,
    watcher: asyncpg.Connection,
    processes: int,
) -> None:
    """From three revisions before head it is the same."""
    first = await launcher.alembic(counted, "upgrade", "0003", url=empty_database.url)
    assert first.code == 0, first.err
    runs = await launcher.start_many(
        counted, "upgrade", "head", count=processes, url=empty_database.url
    )
    one_applied([await run.end() for run in runs], applied=3)
    rows = await watcher.fetch("SELECT revision, count(*) FROM ran GROUP BY 1 ORDER BY 1")
    assert [tuple(row) for row in rows] == [(f"t{n}", 1) for n in range(1, 6)]


@pytest.mark.slow
async def test_nothing_to_do_takes_no_lock(
    counted: Chain, launcher: Launcher, empty_database: Database, watcher: asyncpg.Connection
) -> None:
    """At head, runs pass one that holds the mutex."""
    from surefoot.run.locks import mutex

    first = await launcher.alembic(counted, "upgrade", "head", url=empty_database.url)
    assert first.code == 0, first.err
    await watcher.execute(f"SELECT pg_advisory_lock({mutex.key()})")
    runs = await launcher.start_many(counted, "upgrade", "head", count=8, url=empty_database.url)
    for run in runs:
        result = await run.end(timeout_s=20)
        assert result.code == 0
        assert f"OK  {empty_database.name} is at head 0006. Nothing to do." in result.err
