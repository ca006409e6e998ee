"""A long run keeps the statement that writes a row of the ledger prepared in its session."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, event, text

from harness import databases
from harness.databases import Database
from harness.runs import Chain
from surefoot.connect.limits import Limits
from surefoot.errors import RunFailed
from surefoot.ledger.kept_row import KeptRow, Put, cast
from surefoot.run.commands import upgrade
from surefoot.target import Target

COUNT = 12
PREPARED = re.compile(r"\bPREPARE (surefoot_row_\w+) \(")
EXECUTED = re.compile(r"\bEXECUTE (surefoot_row_\w+) \(")
DROPPED = re.compile(r"\bDEALLOCATE (surefoot_row_\w+)")
LEFT = "SELECT count(*) FROM pg_prepared_statements WHERE name LIKE 'surefoot_row%'"
BUILT = "CREATE INDEX CONCURRENTLY ON t (id)"
ROWS = """
SELECT revision, direction, outcome, attempts, statements, details - 'sent'
FROM alembic_version_ledger WHERE outcome IN ('applied', 'failed') ORDER BY id OFFSET 1
"""


class Runs:
    """Runs of a chain on a database that has the table of its first revision; their messages."""

    def __init__(self, folder: Path, database: Database) -> None:
        self.chain, self.database = Chain(folder), database
        self.sent: list[str] = []

    async def add(self, *middle: str) -> None:
        """As many revisions that are pending, with these in the middle."""
        first = self.chain.add("op.execute('CREATE TABLE t (id int)')")
        async with self.target() as target:
            await upgrade(target, first)
        plain = [f"op.execute('ALTER TABLE t ADD c{number} int')" for number in range(COUNT)]
        for body in (*plain[:6], *middle, *plain[6 + len(middle) :]):
            self.chain.add(body)

    @asynccontextmanager
    async def target(self) -> AsyncIterator[Target]:
        async with databases.engine(self.database.access, "migrate") as made:

            @event.listens_for(made.sync_engine, "connect")
            def listen(opened: Any, _: object) -> None:
                opened.driver_connection.add_query_logger(
                    lambda record: self.sent.append(record.query)
                )

            yield Target.of(made, self.chain.ini, Limits())

    async def upgrade(self) -> None:
        self.sent.clear()
        async with self.target() as target:
            await upgrade(target, "head")

    def names(self, pattern: re.Pattern[str]) -> list[str]:
        return [name for each in self.sent for name in pattern.findall(each)]


@pytest.fixture
def runs(tmp_path: Path, empty_database: Database) -> Runs:
    return Runs(tmp_path / "chain", empty_database)


async def rows(runs: Runs) -> list[tuple[Any, ...]]:
    """The rows of the ledger; the hash of each is that of its values and of the row before."""
    connection = await asyncpg.connect(runs.database.url)
    try:
        hashes = await connection.fetch(
            "SELECT previous_sha256, row_sha256 FROM alembic_version_ledger ORDER BY id"
        )
        assert [each[0] for each in hashes[1:]] == [each[1] for each in hashes[:-1]]
        return [tuple(each) for each in await connection.fetch(ROWS)]
    finally:
        await connection.close()


async def test_it_is_parsed_once_and_dropped_at_the_end(runs: Runs) -> None:
    """The rows are those that the whole statements write."""
    await runs.add()
    await runs.upgrade()
    (name,) = runs.names(PREPARED)
    assert runs.names(EXECUTED) == [name] * (COUNT - 1)
    assert runs.names(DROPPED) == [name]
    locks = '{"locks": [{"mode": "ACCESS EXCLUSIVE", "table": "t"}], "more_locks": 0}'
    assert await rows(runs) == [
        (each, "upgrade", "applied", 1, 1, locks) for each in runs.chain.ids[1:]
    ]


@pytest.mark.slow
async def test_a_short_run_prepares_none(runs: Runs) -> None:
    """Its rows would take longer."""
    await runs.add()
    async with runs.target() as target:
        for each in (runs.chain.ids[4], runs.chain.ids[12]):
            await upgrade(target, each)
    assert not runs.names(PREPARED)
    assert len(await rows(runs)) == COUNT


BETWEEN = [
    "op.execute('DEALLOCATE PREPARE ALL')",
    "op.execute('DO $$ BEGIN EXECUTE $s$DEALLOCATE ALL$s$; END $$')",
    "op.execute('SET search_path = pg_catalog')",
    "op.execute('SET ROLE pg_monitor')",
    f"with op.get_context().autocommit_block():\n    op.execute('{BUILT}')",
    "op.create_index_concurrently('i', 't', ['id'])",
    "op.execute('COMMENT ON TABLE t IS NULL'); op.execute('LOCK t')",
    "pass",
]


@pytest.mark.parametrize(
    "body",
    [
        "op.execute('DEALLOCATE ALL')",
        *(pytest.param(each, marks=pytest.mark.slow) for each in BETWEEN),
    ],
)
async def test_a_revision_in_between_that_may_drop_it(runs: Runs, body: str) -> None:
    """Another one is prepared behind it, where it may be gone."""
    await runs.add(body)
    if "autocommit_block" in body:
        runs.chain.lock(baseline=runs.chain.ids)
    await runs.upgrade()
    assert 1 <= len(runs.names(PREPARED)) <= 2
    assert len(await rows(runs)) == COUNT


MIDDLES = {
    "applied": (),
    "failed": ("op.execute('no SQL')",),
    "several": ("op.execute('SELECT 1')", "op.execute('COMMENT ON TABLE t IS NULL')") * 3,
}


@pytest.mark.sample(2)
@pytest.mark.parametrize("middle", MIDDLES.values(), ids=MIDDLES)
async def test_a_session_that_was_handed_in_keeps_none(runs: Runs, middle: tuple[str, ...]) -> None:
    """It goes on behind the run."""
    fails = middle == MIDDLES["failed"]
    await runs.add(*middle)

    def upgraded(connection: Connection) -> None:
        config = Config(runs.chain.ini)
        config.attributes["connection"] = connection
        with pytest.raises(RunFailed) if fails else nullcontext():
            command.upgrade(config, "head")

    async with (
        databases.engine(runs.database.access, "migrate") as made,
        made.connect() as connection,
    ):
        await connection.run_sync(upgraded)
        assert await connection.scalar(text(LEFT)) == 0
    applied = [each[0] for each in await rows(runs) if each[2] == "applied"]
    assert len(applied) == (6 if fails else COUNT)


async def test_a_message_that_fails_may_have_prepared_it(runs: Runs) -> None:
    """The next attempt prepares one with another name: a session takes each name once."""
    await runs.add()
    waits = """
        CREATE TABLE busy ();
        CREATE FUNCTION waits() RETURNS trigger LANGUAGE plpgsql AS
        'BEGIN LOCK TABLE busy; RETURN NEW; END';
        CREATE TABLE late (id int);
        CREATE CONSTRAINT TRIGGER waits AFTER INSERT ON late DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW EXECUTE FUNCTION waits()
    """
    await databases.execute(runs.database.url, waits)
    path = runs.chain.path(runs.chain.ids[1])
    code = path.read_text("utf-8")
    path.write_text(
        code.replace("ALTER TABLE t ADD c0 int", "INSERT INTO late VALUES (1)"), "utf-8"
    )
    runs.chain.lock()
    blocker = await asyncpg.connect(runs.database.url)
    await blocker.execute("BEGIN; LOCK TABLE busy")
    run = asyncio.create_task(runs.upgrade())
    while not runs.names(PREPARED) and not run.done():
        await asyncio.sleep(0.01)
    await blocker.close()
    await run
    assert (await rows(runs))[0][3] > 1
    tried = runs.names(PREPARED)
    assert len(tried) > 1
    assert len({*tried}) == len(tried)


UNSEEN = {
    "by a trigger": "op.execute('INSERT INTO t VALUES (1)')",
    "past SQLAlchemy": "op.execute('COMMENT ON TABLE t IS NULL')\n"
    "from sqlalchemy.util import await_only\n"
    "driver = op.get_bind().connection.driver_connection\n"
    "await_only(driver.execute('DEALLOCATE ALL'))",
}


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(UNSEEN["by a trigger"], id="by a trigger"),
        pytest.param(UNSEEN["past SQLAlchemy"], id="past SQLAlchemy", marks=pytest.mark.slow),
    ],
)
async def test_behind_one_that_was_dropped_unseen_its_revision_runs_again(
    runs: Runs, body: str
) -> None:
    """Without one, and so do those behind it."""
    await runs.add(body)
    drops = """
        CREATE FUNCTION drops() RETURNS trigger LANGUAGE plpgsql AS
        'BEGIN EXECUTE ''DEALLOCATE ALL''; RETURN NEW; END';
        CREATE TRIGGER drops BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION drops()
    """
    await databases.execute(runs.database.url, drops)
    await runs.upgrade()
    assert len(runs.names(PREPARED)) == 1
    assert [row[2] for row in await rows(runs)] == ["applied"] * COUNT


def test_the_statement_and_its_values() -> None:
    """Each value has its place and its type; a text that was kept is not prepared again."""

    def make(put: Put, kept: str = "it's") -> str:
        return f"SELECT {put(kept, 'text')}, {put(3, 'integer')}, {put(None, 'jsonb')}"

    assert make(cast) == "SELECT CAST('it''s' AS text), CAST(3 AS integer), CAST(NULL AS jsonb)"
    row = KeptRow()
    prepare, execute = row.statements(make)
    name = execute.split()[1]
    assert prepare == f"PREPARE {name} (text, integer, jsonb) AS SELECT $1, $2, $3"
    assert execute == f"EXECUTE {name} ('it''s', 3, NULL)"
    assert row.is_named(f'prepared statement "{name}" does not exist')
    assert not row.is_named('prepared statement "another" does not exist')
    assert row.statements(lambda put: make(put, "b")) == [f"EXECUTE {name} ('b', 3, NULL)"]
    assert row.end() == [f"DEALLOCATE {name}"]
    assert row.end() == []
    (prepare, _) = row.statements(make)
    assert name not in prepare
    row.forget()
    assert row.end() == []
    assert f"'{prepare.split()[1]}'" in (row.left() or "")
    assert row.left() is None
