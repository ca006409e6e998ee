"""A revision up to the baseline commits: it runs as written, and goes on where it was left."""

from __future__ import annotations

import asyncio
import re
import signal
from pathlib import Path

import asyncpg
import pytest
from sqlalchemy import event

from harness.databases import Database, engine
from harness.runs import Chain, Launcher, Result
from harness.states import wait_until
from surefoot.connect.limits import Limits
from surefoot.run.commands import upgrade
from surefoot.target import Target

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
COMMIT = "op.get_bind().commit()"
READS = re.compile(r"SELECT .* FROM \S*alembic_version_ledger\S* ORDER BY id\Z")
OTHER = (
    "op.get_bind().commit()\n"
    "autocommit = {{'isolation_level': 'AUTOCOMMIT'}}\n"
    "with op.get_bind().engine.connect().execution_options(**autocommit) as other:\n"
    "    other.exec_driver_sql({})"
)
BESIDE = OTHER.format("'CREATE INDEX CONCURRENTLY a_id ON a (id)'")
# The ways to end half-way, once.
ENDS = {
    "an error": "op.execute('SELECT 1/0')",
    "a kill": "os.kill(os.getpid(), 9)",
    "a session that is ended": "op.execute('SELECT pg_terminate_backend(pg_backend_pid())')",
}


VALID = "SELECT indisvalid FROM pg_index WHERE indexrelid = 't_id'::regclass"


def once(folder: Path, end: str) -> str:
    """The code of an end that comes in the first run only."""
    return (
        f"import os, pathlib\nonce = pathlib.Path({str(folder / 'once')!r})\n"
        f"if not once.exists():\n    once.touch()\n    {end}"
    )


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


@pytest.mark.slow
@pytest.mark.parametrize("way", [BLOCK, "op.execute('COMMIT')"])
async def test_it_is_tried_on_a_scratch_database_as_it_runs(past: Past, way: str) -> None:
    """`plan` shows all of it, and judges none; `lint` judges it where it is named."""
    past.add(f"{FIRST}\n{way}\n{SECOND}", "op.execute('DROP TABLE a, b')")
    planned = await past.surefoot("plan")
    assert planned.code == 0, planned.out + planned.err
    assert "CREATE TABLE b (id int)" in planned.out
    assert "0 errors, 0 warnings. Next: alembic upgrade head" in planned.out
    judged = await past.surefoot("lint", "0002")
    assert "0 warnings in 1 revision\n" in judged.err, judged.err
    assert "not run to the end" not in judged.err + judged.out


@pytest.mark.slow
async def test_sql_begins_behind_it(past: Past) -> None:
    """Its file stays as it is, so the message names no change of it."""
    past.add(f"{FIRST}\n{BLOCK}")
    past.add(f"{SECOND}\n{BLOCK.replace('a_id', 'other')}")
    past.chain.add("op.execute('CREATE TABLE c ()')")
    past.chain.lock(baseline=["0003"])
    refused = await past.run("upgrade", "head", "--sql")
    assert refused.code == 3
    assert "[past-not-as-sql]  0002 ends its transaction by itself" in refused.err
    assert "`alembic upgrade 0003:head --sql`" in refused.err
    assert "CREATE TABLE c ()" in (await past.run("upgrade", "0003:head", "--sql")).out


async def test_a_long_past_reads_the_ledger_once(chain: Chain, empty_database: Database) -> None:
    """Before its revisions begin: each of them asks about itself only, and this run knows it."""
    last = [chain.add(f"op.execute('CREATE TABLE t{n} ()')\n{COMMIT}") for n in range(6)][-1]
    chain.lock(baseline=[last])
    sent: list[str] = []
    async with engine(empty_database.access, "migrate") as opened:
        event.listen(
            opened.sync_engine, "before_cursor_execute", lambda *given: sent.append(given[2])
        )
        await upgrade(Target.of(opened, chain.ini, Limits()), "head")
    assert len([each for each in sent if READS.match(each)]) <= 2, sent


async def test_a_second_connection_behind_a_commit(
    past: Past, watcher: asyncpg.Connection, tmp_path: Path
) -> None:
    """It works beside the run, which cannot go on after a failure: its changes are not known."""
    past.add(f"{FIRST}\n{BESIDE}\n{SECOND}\n{once(tmp_path, ENDS['an error'])}")
    failed, refused = [await past.run() for _ in range(2)]
    assert "kept of 0002: not known: it has opened a second connection" in failed.err
    assert "REFUSED [partly-applied]" in refused.err
    assert await names(watcher) == ["a", "a_id", "t"]
    await watcher.execute("DROP TABLE a, t, alembic_version, alembic_version_ledger")
    done = await past.run()
    assert done.code == 0, done.err
    assert await names(watcher) == ["a", "a_id", "b", "t"]
    rows = await ledger(watcher)
    assert (rows[0], rows[-1]) == ("started", "applied")


async def test_a_signal_ends_the_statement_of_a_second_connection(
    past: Past, launcher: Launcher, empty_database: Database, watcher: asyncpg.Connection
) -> None:
    """As it ends one of the run's own."""
    past.add(OTHER.format("'SELECT pg_sleep(60)'"))
    run = await launcher.start(past.chain, "upgrade", "head", url=empty_database.url)
    sleeps = "SELECT count(*) = {} FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(60)'"
    await wait_until(watcher, sleeps.format(1))
    run.signal(signal.SIGTERM)
    await wait_until(watcher, sleeps.format(0), timeout_s=2)
    result = await run.end(timeout_s=5)
    assert (result.code, "interrupted; done: 0001" in result.err) == (143, True), result.err


@pytest.mark.sample(3)
@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
async def test_the_first_of_a_chain_runs_as_it_was_written(
    chain: Chain,
    launcher: Launcher,
    empty_database: Database,
    watcher: asyncpg.Connection,
    tmp_path: Path,
    way: str,
) -> None:
    """On an empty database its statements are sent one by one, as it leaves its transaction."""
    ends = once(tmp_path, ENDS["an error"])
    first = chain.add(f"{TABLE}\n{FIRST}\n{way}\n{SECOND}\n{ends}")
    chain.add("op.execute('CREATE TABLE last (id int)')")
    chain.lock(baseline=[first])
    failed, done = [
        await launcher.alembic(chain, "upgrade", "head", url=empty_database.url) for _ in range(2)
    ]
    assert failed.code == 4
    assert "changes at its beginning" in failed.err
    assert done.code == 0, done.err
    assert {"a", "b", "last", "t"} <= {*await names(watcher)}


@pytest.mark.sample(2)
@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
async def test_it_goes_on_where_it_was_left(
    past: Past, watcher: asyncpg.Connection, tmp_path: Path, end: str
) -> None:
    """Changes that are kept are not sent again; those that were not committed are."""
    half = once(tmp_path, end)
    past.add(f"{FIRST}\n{BLOCK}\n{SECOND}\n{half}\nop.execute('CREATE TABLE c (id int)')")
    first = await past.run()
    assert first.code != 0
    assert await names(watcher) == ["a", "a_id", "t"]
    assert await watcher.fetchval("SELECT version_num FROM alembic_version") == "0001"
    if "kill" not in end:
        assert "kept of 0002: 2 changes at its beginning, and perhaps the next" in first.err
    second = await past.run()
    assert second.code == 0, second.err
    assert await names(watcher) == ["a", "a_id", "b", "c", "t"]
    assert (await ledger(watcher))[-1] == "applied"


BATCHES = """
bind = op.get_bind()
bind.execute(sa.text('INSERT INTO t SELECT generate_series(1, 20)'))
while bind.execute(sa.text(
    'UPDATE t SET id = -id WHERE id IN (SELECT id FROM t WHERE id > 0 LIMIT 6)'
)).rowcount:
    bind.commit()
    done = bind.execute(sa.text('SELECT count(*) FROM t WHERE id < 0')).scalar()
    if done == 12:
        {half}
"""


@pytest.mark.slow
async def test_a_loop_in_batches_goes_on(
    past: Past, watcher: asyncpg.Connection, tmp_path: Path
) -> None:
    """It ends by the numbers of rows, so batches that are kept reach theirs again."""
    half = once(tmp_path, ENDS["a kill"]).replace("\n", "\n        ")
    past.add(BATCHES.format(half=half))
    assert (await past.run()).code != 0
    assert await watcher.fetchval("SELECT count(*) FROM t WHERE id > 0") == 8
    done = await past.run()
    assert done.code == 0, done.err
    assert await watcher.fetchval("SELECT count(*) FROM t WHERE id > 0") == 0


@pytest.mark.slow
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


@pytest.mark.slow
async def test_an_index_that_failed_is_built_again(past: Past, watcher: asyncpg.Connection) -> None:
    """A failed build is no change that is kept, and it leaves an invalid index."""
    past.add(
        "op.execute('INSERT INTO t VALUES (1), (1)')\nop.get_bind().commit()\n"
        "with op.get_context().autocommit_block():\n"
        "    op.execute('CREATE UNIQUE INDEX CONCURRENTLY t_id ON t (id)')"
    )
    first = await past.run()
    assert "kept of 0002: 1 change at its beginning, and perhaps the next" in first.err
    assert await watcher.fetchval(VALID) is False
    await watcher.execute("DELETE FROM t WHERE ctid = (SELECT min(ctid) FROM t)")
    second = await past.run()
    assert second.code == 0, second.err
    assert await watcher.fetchval(VALID) is True
    assert await watcher.fetchval("SELECT count(*) FROM t") == 1


@pytest.mark.slow
async def test_settings_of_the_session_are_sent_again(
    past: Past, watcher: asyncpg.Connection, tmp_path: Path
) -> None:
    """A table goes to the schema that the revision has set before."""
    past.add(
        "op.execute('CREATE SCHEMA other')\nop.execute('SET search_path = other, public')\n"
        f"{FIRST}\n{BLOCK}\n{once(tmp_path, ENDS['an error'])}\n{SECOND}"
    )
    assert (await past.run()).code == 4
    done = await past.run()
    assert done.code == 0, done.err
    assert await watcher.fetchval("SELECT to_regclass('other.b')::text") == "other.b"


# The first deadlock is that of the commit: whatever was sent before it is gone.
FAILING_COMMIT = """
op.execute('CREATE TABLE a (id int)')
op.execute('CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN '
           "IF nextval('s') < 2 THEN RAISE deadlock_detected; END IF; RETURN NULL; END $$")
op.execute('CREATE CONSTRAINT TRIGGER c AFTER INSERT ON t DEFERRABLE INITIALLY DEFERRED '
           'FOR EACH ROW EXECUTE FUNCTION f()')
op.execute('INSERT INTO t VALUES (1)')
op.get_bind().commit()
op.execute('CREATE TABLE b (id int)')
"""


@pytest.mark.slow
async def test_a_commit_that_failed_has_kept_nothing(
    past: Past, watcher: asyncpg.Connection
) -> None:
    """Its row in the ledger is gone with it, and the next attempt sends all."""
    await watcher.execute("CREATE SEQUENCE s")
    past.add(FAILING_COMMIT.strip())
    done = await past.run()
    assert done.code == 0, done.err
    assert "BLOCKED" in done.err
    assert await names(watcher) == ["a", "b", "t"]
    assert await watcher.fetchval("SELECT count(*) FROM t") == 1


# Sent again, they would change something a second time, or give other rows.
NOT_AGAIN = {
    "a block": "op.execute('DO $$ BEGIN INSERT INTO t VALUES (1); END $$')",
    "RETURNING": "op.get_bind().exec_driver_sql('INSERT INTO t VALUES (1) RETURNING id').scalar()",
    "a temporary table": "op.execute('CREATE TEMP TABLE x AS SELECT 1')",
}


@pytest.mark.sample(2)
@pytest.mark.parametrize("change", NOT_AGAIN.values(), ids=NOT_AGAIN)
async def test_it_does_not_go_on_where_that_is_not_known(
    past: Past, watcher: asyncpg.Connection, tmp_path: Path, change: str
) -> None:
    """Nothing is sent a second time."""
    past.add(f"{change}\n{FIRST}\n{BLOCK}\n{once(tmp_path, ENDS['an error'])}\n{SECOND}")
    assert (await past.run()).code == 4
    rows = await watcher.fetchval("SELECT count(*) FROM t")
    done = await past.run()
    assert "0002 left its transaction in a run that failed" in done.err
    assert await names(watcher) == ["a", "a_id", "t"]
    assert await watcher.fetchval("SELECT count(*) FROM t") == rows


@pytest.mark.slow
async def test_a_query_that_writes_fails_the_second_time(
    past: Past, watcher: asyncpg.Connection, tmp_path: Path
) -> None:
    """Queries are sent again, in a session that is read-only until the last change that is kept."""
    await watcher.execute("CREATE SEQUENCE s")
    past.add(
        "op.execute(\"SELECT nextval('s')\")\n"
        f"{FIRST}\n{BLOCK}\n{once(tmp_path, ENDS['an error'])}\n{SECOND}"
    )
    assert (await past.run()).code == 4
    done = await past.run()
    assert "cannot execute nextval() in a read-only transaction" in done.err
    assert await watcher.fetchval("SELECT last_value FROM s") == 1
    assert await names(watcher) == ["a", "a_id", "t"]


@pytest.mark.slow
async def test_a_kill_outside_of_a_transaction_is_not_known(
    past: Past, watcher: asyncpg.Connection
) -> None:
    """Whether the statement was done is in no row."""
    past.add(
        "import os, threading\n"
        "threading.Timer(0.5, lambda: os.kill(os.getpid(), 9)).start()\n"
        "with op.get_context().autocommit_block():\n"
        "    op.execute('INSERT INTO t SELECT 1 FROM pg_sleep(30)')"
    )
    assert (await past.run()).code != 0
    done = await past.run()
    assert "0002 left its transaction in a run that failed (changes that are kept: 0)" in done.err
    assert await watcher.fetchval("SELECT count(*) FROM t") == 0


@pytest.mark.sample(2)
@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("op.execute(\"PREPARE TRANSACTION 'x'\")", "commits-by-itself"),
        ("op.get_bind().engine.connect()", "connects-by-itself"),
    ],
)
async def test_nothing_of_it_may_be_out_of_sight(
    past: Past, watcher: asyncpg.Connection, body: str, code: str
) -> None:
    """A prepared transaction, and a second connection beside an open one, are refused."""
    past.chain.lock(baseline=["0001"])
    assert (await past.run()).code == 0
    past.add(f"{FIRST}\n{body}")
    done = await past.run()
    assert f"REFUSED [{code}]  0002" in done.err
    assert await names(watcher) == ["t"]


@pytest.mark.slow
async def test_a_lock_that_is_not_free_is_tried_again(
    past: Past, watcher: asyncpg.Connection
) -> None:
    """Changes that are kept are not repeated."""
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


@pytest.mark.slow
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


@pytest.mark.slow
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
