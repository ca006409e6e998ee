"""Alembic's table has another name, or is in a schema of its own."""

from __future__ import annotations

import asyncpg
import pytest

from harness.databases import Database, Databases, agreement, engine
from harness.runs import Chain, Launcher
from surefoot.chain.revisions import read_revisions
from surefoot.project import Project
from surefoot.startup.check import Build, check
from surefoot.target import Target
from surefoot.trace.fingerprints import fingerprinted
from surefoot.trace.trace import trace
from surefoot.version_table import VersionTable

ELSEWHERE = (VersionTable("shop_version"), VersionTable("Shop's Version", "the shop"))


ENV = """
from surefoot import Environment
from surefoot.environment import runner

run = runner.run


def told(*arguments):
    print("a run")
    run(*arguments)


runner.run = told
Environment(
    metadata="sample.models:metadata",
    database="harness.environment:database",
    version_table={0.name!r},
    version_table_schema={0.schema!r},
).run()
"""


@pytest.mark.sample(2)
@pytest.mark.parametrize("table", ELSEWHERE, ids=["another name", "another schema"])
async def test_everything_finds_the_version_table_where_it_is(
    chain: Chain,
    launcher: Launcher,
    empty_database: Database,
    watcher: asyncpg.Connection,
    table: VersionTable,
) -> None:
    """Upgrade, first look, history, downgrade, start-up check and fingerprints agree."""
    (chain.folder / "alembic" / "env.py").write_text(ENV.format(table), "utf-8")
    for name in ("a", "b"):
        chain.add(f"op.execute('CREATE TABLE {name} (id int)')", f"op.execute('DROP TABLE {name}')")
    await watcher.execute('CREATE SCHEMA "the shop"')
    build, url = Build.read(chain.lock_path, table), empty_database.url

    async with engine(empty_database.access, "observe") as made:
        never = await check(made, build)
        upgraded = await launcher.alembic(chain, "upgrade", "head", url=url)
        assert upgraded.code == 0, upgraded.err
        assert upgraded.out == "a run\n"
        again = await launcher.alembic(chain, "upgrade", "head", url=url)
        assert (again.code, again.out) == (0, ""), again.err
        current = await check(made, build)
        reverted = await launcher.alembic(chain, "downgrade", "-1", url=url)
        assert reverted.code == 0, reverted.err
        behind = await check(made, build)
        listed = await launcher.alembic(chain, "history", url=url)
        fingerprint = (await agreement(made, chain.lock_path, table)).found
    states = [verdict.state for verdict in (never, current, behind)]
    assert states == ["never-migrated", "current", "behind"]
    assert listed.out.splitlines()[-2:] == [
        "pending  0002  expand    Change 0002",
        "applied  0001  expand    Change 0001",
    ]
    assert await watcher.fetchval("SELECT to_regclass('alembic_version') IS NULL")
    assert await watcher.fetchval(f"SELECT version_num FROM {table.quoted}") == "0001"
    rows = await watcher.fetch(f"SELECT revision, outcome, fingerprint FROM {table.ledger}")
    assert [tuple(row)[:2] for row in rows] == [
        ("0001", "applied"),
        ("0002", "applied"),
        ("0002", "measured"),
        ("0002", "applied"),
        ("0001", "measured"),
    ]
    assert rows[-1]["fingerprint"] == fingerprint


@pytest.mark.slow
async def test_its_schema_is_missing(
    chain: Chain, launcher: Launcher, empty_database: Database, watcher: asyncpg.Connection
) -> None:
    """The run is refused, and goes on once it is there."""
    (chain.folder / "alembic" / "env.py").write_text(ENV.format(ELSEWHERE[1]), "utf-8")
    chain.add("op.execute('CREATE TABLE a (id int)')")
    url = empty_database.url
    refused = await launcher.alembic(chain, "upgrade", "head", url=url)
    assert (refused.code, 'lacks a schema: schema "the shop"' in refused.err) == (3, True)
    assert "[schema-missing]" in refused.err
    assert await watcher.fetchval("SELECT to_regclass('a') IS NULL")
    await watcher.execute('CREATE SCHEMA "the shop"')
    done = await launcher.alembic(chain, "upgrade", "head", url=url)
    assert done.code == 0, done.err


@pytest.mark.slow
async def test_a_scratch_database_knows_it_too(chain: Chain, databases: Databases) -> None:
    """It is no part of a fingerprint, and rows are made for tables of the revisions only."""
    table = ELSEWHERE[0]
    source = ENV.format(table).replace("runner.run = told\n", "")
    (chain.folder / "alembic" / "env.py").write_text(source, "utf-8")
    chain.add("op.execute('CREATE TABLE a (id int)')", "op.execute('DROP TABLE a')")
    chain.add("op.execute('ALTER TABLE a ADD b int')", "op.execute('ALTER TABLE a DROP b')")
    revisions = read_revisions(chain.versions)
    one, other = await databases.empty(), await databases.empty()
    async with engine(one.access, "migrate") as made:
        scratch = Target.of(made, Project.read(chain.ini, version_table=table))
        *_, last = await fingerprinted(scratch, revisions)
        found = await agreement(made, chain.lock_path, table)
        assert (found.revision, found.found) == ("0002", last.fingerprint)
    async with engine(other.access, "migrate") as made:
        scratch = Target.of(made, Project.read(chain.ini, version_table=table))
        traced = await trace(scratch, chain.versions, start=["0001"], rows=3, back=True)
    assert traced.failure is None
    assert [statement.sql for statement in traced.statements] == ["ALTER TABLE a ADD b int"]


async def test_two_projects_in_one_database_have_theirs_apart() -> None:
    """Neither waits for the other's mutex, nor is told of the other's rows."""
    tables = [VersionTable(), *ELSEWHERE, VersionTable("alembic_version", "the shop")]
    for of in ("mutex", "channel", "quoted", "ledger"):
        assert len({getattr(table, of) for table in tables}) == len(tables)


@pytest.mark.slow
async def test_a_table_that_says_something_else_after_the_run_is_told_with_what_was_done(
    chain: Chain, launcher: Launcher, empty_database: Database, watcher: asyncpg.Connection
) -> None:
    """The revision is committed: exit code 4. Here a trigger of somebody writes at the commit."""
    for name in ("a", "b"):
        chain.add(f"op.execute('CREATE TABLE {name} (id int)')")
    url = empty_database.url
    first = await launcher.alembic(chain, "upgrade", "0001", url=url)
    assert first.code == 0, first.err
    await watcher.execute(
        "CREATE FUNCTION back() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "UPDATE alembic_version SET version_num = '0001'; RETURN NULL; END $$; "
        "CREATE CONSTRAINT TRIGGER back AFTER UPDATE ON alembic_version "
        "DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (new.version_num = '0002') "
        "EXECUTE FUNCTION back()"
    )
    done = await launcher.alembic(chain, "upgrade", "head", url=url)
    assert done.code == 4, done.err
    assert done.err.endswith(
        f"FAILED [target-missed]  after the run '{empty_database.name}' should be at 0002 and is "
        "at 0001: somebody else wrote to alembic_version\n"
        "  done: 0002\n"
        "  help: `surefoot ledger` shows what was done, `alembic current` where it is\n"
    ), done.err


@pytest.mark.slow
async def test_a_revision_that_takes_its_row_away_is_undone(
    chain: Chain, launcher: Launcher, empty_database: Database, watcher: asyncpg.Connection
) -> None:
    """The row that it would replace is not there."""
    chain.add("op.execute('CREATE TABLE a (id int)')")
    first = await launcher.alembic(chain, "upgrade", "head", url=empty_database.url)
    assert first.code == 0, first.err
    chain.add("op.execute('DELETE FROM alembic_version')")
    done = await launcher.alembic(chain, "upgrade", "head", url=empty_database.url)
    assert done.code == 4, done.err
    assert "alembic_version is not at 0001 any more" in done.err, done.err
    assert await watcher.fetchval("SELECT version_num FROM alembic_version") == "0001"


@pytest.mark.sample(4)
@pytest.mark.parametrize("command", ["drift", "plan", "verify"])
@pytest.mark.parametrize("table", ["alembic_version", "alembic_version_ledger"])
async def test_a_command_that_reads_waits_for_a_locked_table_as_long_as_the_limit_says(
    chain: Chain,
    launcher: Launcher,
    empty_database: Database,
    watcher: asyncpg.Connection,
    table: str,
    command: str,
) -> None:
    """A prepared transaction keeps its locks without a session, for days."""
    chain.add("op.execute('CREATE TABLE a (id int)')")
    url = empty_database.url
    first = await launcher.alembic(chain, "upgrade", "head", url=url)
    assert first.code == 0, first.err
    env = {"SUREFOOT_TEST_READ_WAIT_S": "0.2", "SUREFOOT_TEST_SCRATCH_URL": url}
    async with watcher.transaction():
        await watcher.execute(f"LOCK {table}")
        told = await launcher.alembic(chain, command, url=url, env=env, program="surefoot")
    assert told.code == 75, told.err
    assert told.err.startswith("ERROR [table-locked]  "), told.err
