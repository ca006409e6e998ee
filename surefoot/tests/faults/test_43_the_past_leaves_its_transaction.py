"""A revision up to the baseline commits: it runs as written, and goes on where it was left."""

from __future__ import annotations

import asyncio
from pathlib import Path

import asyncpg
import pytest

from harness.databases import Database
from harness.runs import Chain, Launcher, Result

TABLE = "op.execute('CREATE TABLE t (id int)')"
FIRST, SECOND = "op.execute('CREATE TABLE a (id int)')", "op.execute('CREATE TABLE b (id int)')"
INDEX = "op.execute('CREATE INDEX CONCURRENTLY a_id ON a (id)')"
BLOCK = f"with op.get_context().autocommit_block():\n    {INDEX}"
AUTOCOMMIT = "op.get_bind().execution_options(isolation_level='AUTOCOMMIT')"
# The ways to leave a transaction, each between two tables.
WAYS = {
    "a block": BLOCK,
    "two blocks": f"{BLOCK}\nop.execute('CREATE TABLE x ()')\n{BLOCK.replace('a_id', 'other')}",
    "a commit": "op.get_bind().commit()",
    "COMMIT": "op.execute('COMMIT')",
    "COMMIT and an index": f"op.execute('COMMIT')\n{INDEX}",
    "an isolation level": f"op.get_bind().commit()\n{AUTOCOMMIT}\n{INDEX}",
    "a rollback of nothing": "op.get_bind().commit()\nop.get_bind().rollback()",
}
# The ways to end half-way, once.
ENDS = {
    "an error": "op.execute('SELECT 1/0')",
    "a kill": "os.kill(os.getpid(), 9)",
    "a session that is ended": "op.execute('SELECT pg_terminate_backend(pg_backend_pid())')",
}


async def names(watcher: asyncpg.Connection) -> list[str]:
    """The tables and indexes, without those of the library."""
    rows = await watcher.fetch(
        "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace "
        "AND relkind IN ('r', 'i') AND relname NOT LIKE 'alembic%' ORDER BY 1"
    )
    return [row[0] for row in rows]


async def ledger(watcher: asyncpg.Connection) -> list[str]:
    """The outcomes of the second revision."""
    rows = await watcher.fetch(
        "SELECT outcome FROM alembic_version_ledger WHERE revision = '0002' "
        "AND outcome <> 'measured' ORDER BY id"
    )
    return [row[0] for row in rows]


class Past:
    """A chain of two revisions, both taken as they are."""

    def __init__(self, chain: Chain, launcher: Launcher, url: str) -> None:
        self.chain, self._launcher, self._url = chain, launcher, url
        chain.add(TABLE)

    def add(self, body: str, downgrade: str = "pass") -> None:
        self.chain.lock(baseline=[self.chain.add(body, downgrade)])

    async def run(self, *arguments: str) -> Result:
        return await self._launcher.alembic(
            self.chain, *(arguments or ("upgrade", "head")), url=self._url
        )

    async def lock(self, *arguments: str) -> Result:
        return await self.surefoot("lock", *arguments)

    async def surefoot(self, *arguments: str) -> Result:
        return await self._launcher.surefoot(self.chain, *arguments, url=self._url)


@pytest.fixture
def past(chain: Chain, launcher: Launcher, empty_database: Database) -> Past:
    return Past(chain, launcher, empty_database.url)


@pytest.mark.sample(3)
@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
async def test_it_runs_as_it_was_written(past: Past, watcher: asyncpg.Connection, way: str) -> None:
    """The ledger says first that it left its transaction."""
    past.add(f"{FIRST}\n{way}\n{SECOND}")
    done = await past.run()
    assert done.code == 0, done.err
    found = await names(watcher)
    assert {"a", "b", "t"} <= set(found)
    assert ("a_id" in found) == ("a_id" in way)
    assert (await ledger(watcher))[-1] == "applied"
    assert (await ledger(watcher))[0] == "started"


@pytest.mark.sample(2)
@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
async def test_it_goes_on_where_it_was_left(
    past: Past, watcher: asyncpg.Connection, tmp_path: Path, end: str
) -> None:
    """Changes that are kept are not sent again; those that were not committed are."""
    once = tmp_path / "once"
    half = (
        f"import os, pathlib\nonce = pathlib.Path({str(once)!r})\n"
        f"if not once.exists():\n    once.touch()\n    {end}"
    )
    past.add(f"{FIRST}\n{BLOCK}\n{SECOND}\n{half}\nop.execute('CREATE TABLE c (id int)')")
    first = await past.run()
    assert first.code != 0
    assert await names(watcher) == ["a", "a_id", "t"]
    assert await watcher.fetchval("SELECT version_num FROM alembic_version") == "0001"
    if "kill" not in end:
        assert "kept of 0002: its first 2 changes, and perhaps the next" in first.err
    second = await past.run()
    assert second.code == 0, second.err
    assert await names(watcher) == ["a", "a_id", "b", "c", "t"]
    assert (await ledger(watcher))[-1] == "applied"


async def test_a_file_that_sends_something_else_does_not_go_on(
    past: Past, watcher: asyncpg.Connection
) -> None:
    """It is not known which of its changes are there: nothing is sent."""
    past.add(f"{FIRST}\n{BLOCK}\nop.execute('SELECT 1/0')")
    assert (await past.run()).code == 4
    past.chain.path("0002").write_text(
        past.chain.path("0002").read_text().replace("TABLE a (id int)", "TABLE another (id int)")
    )
    past.chain.lock(baseline=["0002"])
    done = await past.run()
    assert done.code in (3, 4)
    assert "0002 left its transaction in a run that failed (changes that are kept: 2)" in done.err
    assert "ops adopt 0002 --reason" in done.err
    assert await names(watcher) == ["a", "a_id", "t"]


async def test_a_lock_that_is_not_free_is_tried_again(
    past: Past, watcher: asyncpg.Connection
) -> None:
    """What is kept is not done a second time."""
    past.chain.lock(baseline=["0001"])
    assert (await past.run()).code == 0
    past.add(f"{FIRST}\n{BLOCK}\n{SECOND}\nop.execute('ALTER TABLE t ADD COLUMN n int')")
    holder = watcher.transaction()
    await holder.start()
    await watcher.execute("LOCK TABLE t")
    running = asyncio.ensure_future(past.run())
    await asyncio.sleep(1)
    await holder.rollback()
    done = await running
    assert done.code == 0, done.err
    assert await names(watcher) == ["a", "a_id", "b", "t"]


async def test_a_downgrade_leaves_its_transaction_too(
    past: Past, watcher: asyncpg.Connection
) -> None:
    """As an upgrade does."""
    block = "with op.get_context().autocommit_block():\n    "
    past.add(
        f"{FIRST}\n{BLOCK}",
        f"{block}op.execute('DROP INDEX CONCURRENTLY a_id')\nop.execute('DROP TABLE a')",
    )
    assert (await past.run()).code == 0
    done = await past.run("downgrade", "-1")
    assert done.code == 0, done.err
    assert await names(watcher) == ["t"]
    assert (await past.run()).code == 0


async def test_a_new_revision_may_not(past: Past, watcher: asyncpg.Connection) -> None:
    """The rule holds after the baseline."""
    past.chain.add(f"{FIRST}\n{BLOCK}")
    past.chain.lock(baseline=["0001"])
    done = await past.run()
    assert "REFUSED [commits-by-itself]  0002" in done.err
    assert await names(watcher) == []


async def test_the_baseline_is_written_by_lock(past: Past, watcher: asyncpg.Connection) -> None:
    """All that there is, or up to a revision; no rule judges it."""
    past.chain.add(f"{FIRST}\n{BLOCK}")
    wrong = await past.lock("--baseline", "0009")
    assert wrong.code == 2
    assert "the baseline names 0009, which no file has" in wrong.err
    done = await past.lock("--baseline", "heads")
    assert done.code == 0, done.err
    assert "breaks" not in done.err
    assert "\nbaseline  0002\n" in past.chain.lock_path.read_text("utf-8")
    assert (await past.lock("--check")).code == 0
    assert "no revision after the baseline" in (await past.surefoot("lint")).err
    assert (await past.run()).code == 0
    assert await names(watcher) == ["a", "a_id", "t"]
    await past.lock("--baseline", "0001")
    assert "\nbaseline  0001\n" in past.chain.lock_path.read_text("utf-8")
