"""Offline SQL, run by psql, leaves the database as an online run does."""

from __future__ import annotations

import os
import subprocess

import asyncpg
import pytest

from harness.commands import psql, snapshot_of
from harness.databases import Database, Databases, execute
from harness.runs import Chain, Launcher, Result
from surefoot.embedded.binaries import find_binaries
from surefoot.run.locks import mutex
from surefoot.startup.check import Build, check

LEDGER = (
    "SELECT revision, direction, phase, outcome, length(checksum), build, requires_code "
    "FROM alembic_version_ledger WHERE outcome NOT IN ('measured', 'started') ORDER BY id"
)


@pytest.fixture
def three(chain: Chain) -> Chain:
    """Tables, and an index that is built outside a transaction."""
    chain.add("op.execute('CREATE TABLE t (id int)')", "op.execute('DROP TABLE t')")
    chain.add(
        "op.create_index_concurrently('t_id', 't', ['id'])",
        "op.drop_index_concurrently('t_id')",
    )
    chain.add(
        "op.execute('CREATE TABLE u (id int)')", "op.execute('DROP TABLE u')", phase="contract"
    )
    return chain


async def sql(chain: Chain, launcher: Launcher, *arguments: str, url: str) -> str:
    written = await launcher.alembic(chain, *arguments, "--sql", url=url)
    assert written.code == 0, written.err
    return written.out


def psql_goes_on(database: Database, script: str) -> str:
    """Run a script as psql does without ON_ERROR_STOP; its errors."""
    found = find_binaries(None)
    assert found is not None
    program = [str(found.bindir / "psql"), "-X", "-q", "-d", database.url]
    done = subprocess.run(program, input=script, capture_output=True, text=True, check=False)
    return done.stderr


async def rows(database: Database, query: str = LEDGER) -> list[tuple[object, ...]]:
    connection = await asyncpg.connect(database.url)
    try:
        return [tuple(row) for row in await connection.fetch(query)]
    finally:
        await connection.close()


@pytest.mark.slow
@pytest.mark.parametrize(
    "start", ["base", *(pytest.param(i, marks=pytest.mark.slow) for i in ("0001", "0002"))]
)
async def test_the_result_is_that_of_an_online_run(
    three: Chain,
    launcher: Launcher,
    empty_database: Database,
    databases: Databases,
    start: str,
) -> None:
    """Schema, revision table and ledger; every later command goes on from there."""
    online = await databases.empty()
    for database in (online, empty_database):
        if start != "base":
            done = await launcher.alembic(three, "upgrade", start, url=database.url)
            assert done.code == 0, done.err
    done = await launcher.alembic(three, "upgrade", "head", url=online.url)
    assert done.code == 0, done.err
    asked = "head" if start == "base" else f"{start}:head"
    psql(empty_database, await sql(three, launcher, "upgrade", asked, url=empty_database.url))
    assert await snapshot_of(empty_database) == await snapshot_of(online)
    assert await rows(empty_database) == await rows(online)
    engine = empty_database.access.engine("observe")
    verdict = await check(engine, Build.read(three.lock_path))
    await engine.dispose()
    assert verdict.state == "current"
    for command in (
        ("upgrade", "head"),
        ("stamp", "head"),
        ("downgrade", "-1"),
        ("upgrade", "head"),
        ("downgrade", "base"),
    ):
        result = await launcher.alembic(three, *command, url=empty_database.url)
        assert result.code == 0, (command, result.err)
    psql(empty_database, await sql(three, launcher, "upgrade", "head", url=empty_database.url))
    assert (await rows(empty_database))[-1][:4] == ("0003", "upgrade", "contract", "applied")


@pytest.mark.slow
async def test_branches_that_merge_are_written_as_they_are_run(
    chain: Chain, launcher: Launcher, empty_database: Database, databases: Databases
) -> None:
    """A script between branches begins where the version table has a row for each."""
    for number, down in (("1", ""), ("2", "1"), ("3", "1"), ("4", "3")):
        up, undo = f"op.execute('CREATE TABLE t{number} ()')", f"op.execute('DROP TABLE t{number}')"
        chain.add(up, undo, identifier=number, down=down, lock=False)
    chain.add("pass", identifier="5", down="2", lock=False)
    merge = chain.path("5")
    text = merge.read_text("utf-8").replace("down_revision = '2'", "down_revision = ('2', '4')")
    merge.write_text(text, "utf-8")
    chain.lock()
    online = await databases.empty()
    for command, asked in ((("upgrade", "head"), "head"), (("downgrade", "1"), "5:1")):
        done = await launcher.alembic(chain, *command, url=online.url)
        assert done.code == 0, done.err
        psql(empty_database, await sql(chain, launcher, command[0], asked, url=empty_database.url))
        assert await snapshot_of(empty_database) == await snapshot_of(online)
        assert await rows(empty_database) == await rows(online)
    psql(empty_database, await sql(chain, launcher, "stamp", "1:5", url=empty_database.url))
    done = await launcher.alembic(chain, "current", url=empty_database.url)
    assert (done.code, done.out) == (0, "5 (head) (mergepoint)\n"), done.err


@pytest.mark.slow
async def test_a_downgrade_and_a_stamp_are_recorded_too(
    three: Chain, launcher: Launcher, empty_database: Database
) -> None:
    """As online."""
    url = empty_database.url
    done = await launcher.alembic(three, "upgrade", "head", url=url)
    assert done.code == 0, done.err
    psql(empty_database, await sql(three, launcher, "downgrade", "0003:0001", url=url))
    psql(empty_database, await sql(three, launcher, "stamp", "0001:0003", url=url))
    psql(empty_database, await sql(three, launcher, "stamp", "0003:0001", url=url))
    assert [row[:4] for row in await rows(empty_database)][3:] == [
        ("0003", "downgrade", "contract", "applied"),
        ("0002", "downgrade", "expand", "applied"),
        ("0002", "stamp", "expand", "stamped"),
        ("0003", "stamp", "contract", "stamped"),
        ("0003", "downgrade", "contract", "stamped"),
        ("0002", "downgrade", "expand", "stamped"),
    ]
    result = await launcher.alembic(three, "upgrade", "head", url=url)
    assert result.code == 0, result.err


async def test_a_chain_of_plain_alembic_gets_a_ledger(
    three: Chain, launcher: Launcher, empty_database: Database, watcher: asyncpg.Connection
) -> None:
    """The revisions before the script are adopted, as online."""
    await watcher.execute(
        "CREATE TABLE alembic_version (version_num varchar(32) PRIMARY KEY);"
        "INSERT INTO alembic_version VALUES ('0001'); CREATE TABLE t (id int)"
    )
    script = await sql(three, launcher, "upgrade", "0001:head", url=empty_database.url)
    psql(empty_database, script)
    assert [(row[0], row[3]) for row in await rows(empty_database)] == [
        ("0001", "adopted"),
        ("0002", "applied"),
        ("0003", "applied"),
    ]


# The command of the script, something done before it runs, and what it says.
WRONG = {
    "from somewhere else": (
        "0002:head",
        "",
        "this SQL begins at 0002, and the database is not there",
    ),
    "beside another run": (
        "0001:head",
        f"SELECT pg_advisory_lock({mutex.key()})",
        "another migration is at work",
    ),
    "on a ledger that is below": (
        "0001:head",
        "DROP TRIGGER append_only ON alembic_version_ledger; TRUNCATE alembic_version_ledger",
        "the ledger of the database does not have the revisions of 0001",
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize(("asked", "done", "said"), WRONG.values(), ids=WRONG)
async def test_a_script_where_it_does_not_belong_changes_nothing(
    chain: Chain,
    launcher: Launcher,
    empty_database: Database,
    watcher: asyncpg.Connection,
    asked: str,
    done: str,
    said: str,
) -> None:
    """psql goes on after an error by default; nothing of any revision is kept even so."""
    for name in "tuv":
        chain.add(f"op.execute('CREATE TABLE {name} (id int)')", f"op.execute('DROP TABLE {name}')")
    first = await launcher.alembic(chain, "upgrade", "0001", url=empty_database.url)
    assert first.code == 0, first.err
    script = await sql(chain, launcher, "upgrade", asked, url=empty_database.url)
    if done:
        await watcher.execute(done)
    before = await rows(empty_database)
    assert said in psql_goes_on(empty_database, script)
    assert await rows(empty_database) == before
    assert await watcher.fetchval("SELECT to_regclass('u') IS NULL AND to_regclass('v') IS NULL")
    assert await watcher.fetchval("SELECT array_agg(version_num::text) FROM alembic_version") == [
        "0001"
    ]


@pytest.mark.slow
async def test_a_script_that_was_stopped_goes_on_where_the_database_is(
    three: Chain, launcher: Launcher, empty_database: Database
) -> None:
    """An applied revision does not run again, and the ledger has one row for it."""
    script = await sql(three, launcher, "upgrade", "head", url=empty_database.url)
    psql(empty_database, script[: script.index("COMMIT;") + len("COMMIT;")])
    assert "this SQL begins at base" in psql_goes_on(empty_database, script)
    assert [(row[0], row[3]) for row in await rows(empty_database)] == [
        (f"000{number}", "applied") for number in (1, 2, 3)
    ]


@pytest.mark.slow
async def test_a_step_outside_a_transaction_runs_in_its_turn_only(
    three: Chain, launcher: Launcher, empty_database: Database, watcher: asyncpg.Connection
) -> None:
    """Without ON_ERROR_STOP psql goes on to it; a step that failed is not recorded as applied."""
    url = empty_database.url
    first = await launcher.alembic(three, "upgrade", "head", url=url)
    assert first.code == 0, first.err
    down = await sql(three, launcher, "downgrade", "0002:0001", url=url)
    assert "cannot execute DROP INDEX in a read-only transaction" in psql_goes_on(
        empty_database, down
    )
    assert await watcher.fetchval("SELECT to_regclass('t_id') IS NOT NULL")
    done = await launcher.alembic(three, "downgrade", "0001", url=url)
    assert done.code == 0, done.err
    await watcher.execute("CREATE TABLE t_id (id int)")
    up = await sql(three, launcher, "upgrade", "0001:0002", url=url)
    assert "the step outside a transaction was not done" in psql_goes_on(empty_database, up)
    assert await watcher.fetchval("SELECT version_num FROM alembic_version") == "0001"
    query = "SELECT outcome FROM alembic_version_ledger ORDER BY id DESC LIMIT 1"
    assert await watcher.fetchval(query) == "started"


async def test_the_lock_timeouts_are_in_the_script(
    three: Chain, launcher: Launcher, empty_database: Database
) -> None:
    """Each transaction has the short one, and a concurrent step the patient one."""
    script = await sql(three, launcher, "upgrade", "head", url=empty_database.url)
    short = "SET LOCAL lock_timeout = '200ms'"
    assert script.count(short) == script.count("BEGIN;\n")
    around = script[script.index("SET lock_timeout = '600000ms'") :].splitlines()
    assert [line for line in around if line][:3] == [
        "SET lock_timeout = '600000ms';",
        "CREATE INDEX CONCURRENTLY t_id ON t (id);",
        "RESET lock_timeout;",
    ]


@pytest.mark.slow
async def test_what_was_applied_behind_our_back_is_adopted_by_the_command_that_is_named(
    three: Chain,
    launcher: Launcher,
    empty_database: Database,
    watcher: asyncpg.Connection,
) -> None:
    """Plain Alembic, its offline SQL and a hand leave the same: revisions without ledger rows.

    upgrade, downgrade and the start-up check name it; afterwards all of them accept it."""
    url = empty_database.url
    first = await launcher.alembic(three, "upgrade", "0001", url=url)
    assert first.code == 0, first.err
    await watcher.execute("CREATE INDEX t_id ON t (id); CREATE TABLE u (id int)")
    await watcher.execute("UPDATE alembic_version SET version_num = '0003'")
    refused: list[Result] = [
        await launcher.alembic(three, *command, url=url)
        for command in (("upgrade", "head"), ("downgrade", "-1"))
    ]
    for result in refused:
        assert (result.code, result.err) == (
            3,
            "REFUSED [revision-unrecorded]  the database is at 0003, and its ledger does not have "
            "0002, 0003: something else than Surefoot applied them\n"
            "  help: `surefoot ops adopt 0003 --reason …` compares the schema and records them\n",
        )
    stamped = await launcher.alembic(three, "stamp", "0003", url=url)
    assert stamped.code == 3  # the lock has no fingerprint to compare with
    adopted = await launcher.surefoot(
        three, "ops", "adopt", "0003", "--reason", "psql", "--execute", url=url
    )
    assert adopted.code == 0, adopted.err
    assert [row[:4] for row in await rows(empty_database)][1:] == [
        ("0002", "stamp", "expand", "adopted"),
        ("0003", "stamp", "contract", "adopted"),
    ]
    for command in (("upgrade", "head"), ("downgrade", "-1"), ("upgrade", "head")):
        result = await launcher.alembic(three, *command, url=url)
        assert result.code == 0, result.err


async def test_an_exception_of_a_revision_is_told_with_its_line(
    three: Chain, launcher: Launcher, empty_database: Database
) -> None:
    """As an online run tells it."""
    three.add("1 / 0")
    done = await launcher.alembic(three, "upgrade", "0003:head", "--sql", url=empty_database.url)
    place = os.path.relpath(three.path("0004"), three.folder)
    assert (done.code, done.err) == (
        4,
        f"FAILED [run-failed]  0004 failed: {place}:12: ZeroDivisionError: division by zero\n"
        "  done: nothing\n"
        "  kept of 0004: nothing\n"
        "  help: correct the cause, then `alembic upgrade 0003:head --sql` again\n",
    )


@pytest.mark.slow
async def test_an_id_that_the_table_cannot_hold_is_refused_by_the_script(
    chain: Chain, launcher: Launcher, empty_database: Database
) -> None:
    """Only the database knows how wide its column is."""
    chain.add(
        "op.execute('CREATE TABLE t (id int)')",
        identifier="a_revision_of_37_characters_in_its_id",
        down="",
    )
    script = await sql(chain, launcher, "upgrade", "head", url=empty_database.url)
    said = psql_goes_on(empty_database, script)
    assert "has 37 characters, more than" in said
    made = "SELECT FROM pg_class WHERE relname IN ('t', 'alembic_version')"
    assert await rows(empty_database, made) == []
    await execute(empty_database.url, "CREATE TABLE alembic_version (version_num varchar(40))")
    psql(empty_database, script)
    assert len(await rows(empty_database)) == 1
