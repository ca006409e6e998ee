"""The start-up check on real databases, as a role that may do nothing but read."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import anyio
import asyncpg
import pytest

from harness.clock import within
from harness.databases import WAITING, Database, access_to, connect, engine, execute, value
from harness.runs import Chain, Launcher
from harness.server import SAMPLE, Server
from surefoot.startup.check import Build, State, Verdict, autocommitting, check, check_on

LOCK = SAMPLE / "alembic" / "revisions.lock"

BUILD = Build.read(LOCK)
HEAD = BUILD.newest
# The limit of a probe, whatever the database does.
PATIENCE_S = 5.0
TABLE = "op.execute('CREATE TABLE t (id int)')"
NO_LEDGER = "DROP TABLE alembic_version_ledger; DROP FUNCTION alembic_version_ledger_append_only()"
BY_HAND = (
    "alembic_version was written by somebody else: `surefoot ledger` shows what was done, "
    "`surefoot ops adopt {} --reason …` records where the schema is"
)
BACK = "; a development database is taken back by `surefoot db goto`"
LOST = f"deploy the build that has it, or restore the database that belongs to this one{BACK}"
QUEUED = f"SELECT count(*) FROM {WAITING}"
UPGRADE = "run `alembic upgrade head`"


@pytest.fixture
async def reader(database: Database) -> AsyncIterator[str]:
    """The URL of a migrated database for a role that may connect and read the bookkeeping."""
    role = f"{database.name}_reader"
    await execute(
        database.url,
        f"CREATE ROLE {role} LOGIN; ALTER ROLE {role} SET default_transaction_read_only = on;"
        f"GRANT SELECT ON alembic_version, alembic_version_ledger TO {role}",
    )
    yield database.url.replace("://tester@", f"://{role}@")
    await execute(database.url, f"DROP OWNED BY {role}; DROP ROLE {role}")


@pytest.fixture
def newer(tmp_path: Path) -> Chain:
    """The build after this one, once something is added."""
    return Chain(tmp_path / "newer", of_project=True)


async def checked(url: str, build: Build = BUILD) -> Verdict:
    """The verdict, which comes in time."""
    async with engine(access_to(url), "watch") as made:
        began_s = time.monotonic()
        verdict = await check(made, build)
        assert time.monotonic() - began_s < within(PATIENCE_S)
    return verdict


def says(verdict: Verdict, state: State, message: str, help_line: str | None = None) -> None:
    """On failure: AssertionError, unless that is the whole message."""
    told = (verdict.state, str(verdict), verdict.error and verdict.error.help)
    assert told == (state, message.format(name=f"database {verdict.database!r}"), help_line)


async def test_at_head(reader: str) -> None:
    """Nothing stands against it; the role could not have written."""
    says(await checked(reader), "current", f"{{name}} is at head {HEAD}")
    with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
        await execute(reader, "DELETE FROM alembic_version")


async def test_behind(reader: str, newer: Chain) -> None:
    """Pending revisions are listed."""
    newer.add(TABLE)
    newer.add(TABLE, phase="contract")
    says(
        await checked(reader, Build.read(newer.lock_path)),
        "behind",
        f"{{name}} is at {HEAD}; this build needs 0010 (pending: 0009, 0010)",
        UPGRADE,
    )


@pytest.mark.sample(3)
@pytest.mark.parametrize(
    ("requires_code", "message", "help_line"),
    [
        (
            "0008",
            "{name} is ahead of 0008: 0009 (expand), 0010 (contract, needs the code of 0008)",
            None,
        ),
        (
            "0009",
            "{name} is at 0010, which this build does not know; its newest revision is 0008; "
            "ahead of it: 0009 (expand), 0010 (contract, needs the code of 0009)",
            f"deploy the build that has 0010, or downgrade the database with that build{BACK}",
        ),
        (
            None,
            "{name} is at 0010, which this build does not know; its newest revision is 0008; "
            "ahead of it: 0009 (expand), 0010 (contract)",
            f"deploy the build that has 0010, or downgrade the database with that build{BACK}",
        ),
    ],
    ids=["tolerated", "too new", "no older code at all"],
)
async def test_ahead(
    reader: str,
    database: Database,
    newer: Chain,
    launcher: Launcher,
    requires_code: str | None,
    message: str,
    help_line: str | None,
) -> None:
    """Revisions that expand are served on, and contract revisions that name this build's code."""
    newer.add(TABLE)
    upgraded = await launcher.alembic(newer, "upgrade", "head", url=database.url)
    assert upgraded.code == 0, upgraded.err
    says(await checked(reader), "ahead", "{name} is ahead of 0008: 0009 (expand)")
    newer.add("pass", phase="contract", requires_code=requires_code)
    upgraded = await launcher.alembic(newer, "upgrade", "head", url=database.url)
    assert upgraded.code == 0, upgraded.err
    says(await checked(reader), "ahead", message, help_line)


@pytest.mark.slow
async def test_on_another_branch(
    reader: str, database: Database, newer: Chain, launcher: Launcher
) -> None:
    """Two builds that both come after 0008 and do not know each other."""
    newer.add(TABLE, identifier="0009a", down="0008")
    upgraded = await launcher.alembic(newer, "upgrade", "head", url=database.url)
    assert upgraded.code == 0, upgraded.err
    newer.path("0009a").unlink()
    newer.add(TABLE, identifier="0009b", down="0008")
    says(
        await checked(reader, Build.read(newer.lock_path)),
        "diverged",
        "{name} and this build contradict each other: it is at 0009a and lacks 0009b",
        "two builds that do not know each other migrated it: deploy one that has both revisions; "
        "if one was renamed, `surefoot ops adopt REV --reason …` records where the schema is"
        f"{BACK}",
    )


@pytest.mark.sample(4)
@pytest.mark.parametrize(
    ("done", "state", "message", "help_line"),
    [
        (
            "UPDATE alembic_version SET version_num = '00ff'",
            "diverged",
            "{name} and this build contradict each other: it is at 00ff, which neither this "
            "build nor its ledger knows",
            LOST,
        ),
        (
            "INSERT INTO alembic_version VALUES ('0007')",
            "diverged",
            "{name} and this build contradict each other: of its rows 0007, 0008 one builds on "
            "another",
            BY_HAND.format("0008"),
        ),
        (
            "UPDATE alembic_version SET version_num = '0007'",
            "diverged",
            "{name} and this build contradict each other: it is at 0007, and the ledger has 0008 "
            "too",
            BY_HAND.format("0008"),
        ),
        (
            "DELETE FROM alembic_version",
            "diverged",
            "{name} and this build contradict each other: alembic_version is empty, and the "
            "ledger is at 0008",
            BY_HAND.format("0008"),
        ),
        (
            f"DELETE FROM alembic_version; {NO_LEDGER}",
            "never-migrated",
            "{name} was never migrated; this build needs 0008",
            UPGRADE,
        ),
        (
            f"DROP TABLE alembic_version; {NO_LEDGER}",
            "never-migrated",
            "{name} was never migrated; this build needs 0008",
            UPGRADE,
        ),
        (
            "DROP TABLE alembic_version",
            "diverged",
            "{name} and this build contradict each other: alembic_version is empty, and the "
            "ledger is at 0008",
            BY_HAND.format("0008"),
        ),
        (
            f"UPDATE alembic_version SET version_num = '0007'; {NO_LEDGER}",
            "behind",
            "{name} is at 0007; this build needs 0008 (pending: 0008)",
            UPGRADE,
        ),
        (NO_LEDGER, "current", "{name} is at head 0008", None),
    ],
    ids=[
        "at a revision that nobody knows",
        "a row too many",
        "set back",
        "emptied",
        "emptied without a ledger",
        "no tables",
        "no revision table beside a ledger",
        "behind without a ledger",
        "at head without a ledger",
    ],
)
async def test_after_a_change_by_hand(
    reader: str, database: Database, done: str, state: State, message: str, help_line: str | None
) -> None:
    """The two tables are compared with each other as well as with the build."""
    await execute(database.url, done)
    says(await checked(reader), state, message, help_line)


# The last message of the watch: that of the short look.
_ASKED = """SELECT query FROM pg_stat_activity
WHERE datname = current_database() AND usename LIKE '%\\_reader'"""
# What somebody changes in the ledger's oldest row, with its trigger off.
EDITS = {
    "checksum": "checksum = repeat('0', 64)",
    "revision": "revision = '00ff'",
    "direction": "direction = 'downgrade'",
    "outcome": "outcome = 'failed'",
}


@pytest.mark.sample(4)
@pytest.mark.parametrize("edit", EDITS.values(), ids=EDITS)
async def test_a_watch_that_looked_before_notices_every_change(
    reader: str, database: Database, edit: str
) -> None:
    """It asks less the next time on its connection, and still hears of an edit and of its undo."""
    off = "ALTER TABLE alembic_version_ledger DISABLE TRIGGER append_only;"
    kept = "CREATE TABLE kept AS SELECT * FROM alembic_version_ledger WHERE id = 1;"
    edited = f"UPDATE alembic_version_ledger SET {edit} WHERE id = 1"
    undone = (
        "UPDATE alembic_version_ledger l SET checksum = kept.checksum, revision = kept.revision,"
        " direction = kept.direction, outcome = kept.outcome FROM kept WHERE l.id = 1"
    )
    async with engine(access_to(reader), "watch") as made:
        autocommit = autocommitting(made)
        async with autocommit.connect() as connection:
            for _ in range(2):
                assert (await check_on(connection, BUILD)).state == "current"
            await execute(database.url, off + kept + edited)
            assert (await check_on(connection, BUILD)).state == "diverged"
            await execute(database.url, undone)
            for _ in range(2):
                assert (await check_on(connection, BUILD)).state == "current"
            # A transaction of another database, older than the rows, puts that off.
            with anyio.fail_after(within(20)):
                while not str(await value(database.url, _ASKED)).strip().startswith("SELECT FROM"):
                    assert (await check_on(connection, BUILD)).state == "current"
            await execute(database.url, "UPDATE alembic_version SET version_num = '0007'")
            assert (await check_on(connection, BUILD)).state == "diverged"
            assert (await check_on(connection, Build.of(()))).state != "current"


# What it could miss that compares the ids of transactions: nobody writes a row.
CHANGES = {
    "another table": "ALTER TABLE alembic_version_ledger RENAME TO former; "
    "ALTER TABLE edited RENAME TO alembic_version_ledger",
    "another column": "ALTER TABLE alembic_version_ledger RENAME checksum TO former; "
    "ALTER TABLE alembic_version_ledger RENAME repeated TO checksum",
    "rows of a child": "ALTER TABLE alembic_version_ledger DISABLE TRIGGER append_only; "
    "DELETE FROM alembic_version_ledger; ALTER TABLE edited ADD repeated text; "
    "ALTER TABLE edited INHERIT alembic_version_ledger",
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
async def test_a_watch_that_looked_before_notices_rows_that_are_older_than_its_look(
    reader: str, database: Database, change: str
) -> None:
    """The content of the ledger becomes another one, which was written before the first look."""
    role = reader.partition("://")[2].partition("@")[0]
    await execute(
        database.url,
        "ALTER TABLE alembic_version_ledger ALTER duration_s DROP EXPRESSION;"
        "CREATE TABLE edited (LIKE alembic_version_ledger INCLUDING CONSTRAINTS);"
        "INSERT INTO edited SELECT * FROM alembic_version_ledger;"
        "UPDATE edited SET checksum = repeat('0', 64) WHERE id = 1;"
        "ALTER TABLE alembic_version_ledger ADD repeated text DEFAULT repeat('0', 64);"
        f"GRANT SELECT ON edited TO {role}",
    )
    async with (
        engine(access_to(reader), "watch") as made,
        autocommitting(made).connect() as connection,
    ):
        for _ in range(2):
            assert (await check_on(connection, BUILD)).state == "current"
        await execute(database.url, change)
        for _ in range(2):
            assert (await check_on(connection, BUILD)).state == "diverged"


async def test_nothing_was_ever_there(empty_database: Database) -> None:
    """An empty database was never migrated."""
    says(
        await checked(empty_database.url),
        "never-migrated",
        "{name} was never migrated; this build needs 0008",
        UPGRADE,
    )


async def test_without_the_right_to_read_the_ledger(reader: str, database: Database) -> None:
    """The missing privilege is named; the state is not guessed."""
    role = f"{database.name}_reader"
    await execute(database.url, f"REVOKE SELECT ON alembic_version_ledger FROM {role}")
    verdict = await checked(reader)
    assert verdict.state == "unreadable"
    assert verdict.error is not None
    assert verdict.error.code == "permission-missing"
    assert "permission denied for table alembic_version_ledger" in str(verdict)


async def test_without_the_right_to_connect(reader: str, database: Database) -> None:
    """The server refuses the session: requests get none either."""
    await execute(database.url, f"REVOKE CONNECT ON DATABASE {database.name} FROM PUBLIC")
    await execute(
        database.url, f"REVOKE CONNECT ON DATABASE {database.name} FROM {database.name}_reader"
    )
    verdict = await checked(reader)
    assert (verdict.state, verdict.error and verdict.error.code) == (
        "unreachable",
        "permission-missing",
    )


async def test_down() -> None:
    """Nobody listens there."""
    verdict = await checked("postgresql://u:secret@127.0.0.1:1/gone")
    says(
        verdict,
        "unreachable",
        "{name} at 127.0.0.1:1 cannot be reached: Connection refused",
        "is the server up, and are host and port in the database URL that env.py names right?",
    )


@pytest.mark.slow
async def test_silent() -> None:
    """Something takes the connection and never says a word."""
    async with silent_server() as port:
        verdict = await checked(f"postgresql://u@127.0.0.1:{port}/gone?sslmode=disable")
    says(
        verdict,
        "unreachable",
        f"{{name}} at 127.0.0.1:{port} cannot be reached: no answer within 2 s",
        "is the server up, and are host and port in the database URL that env.py names right?",
    )


@asynccontextmanager
async def silent_server() -> AsyncIterator[int]:
    """The port of a server that accepts and is silent."""
    over = asyncio.Event()

    async def say_nothing(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await over.wait()
        writer.close()

    listening = await asyncio.start_server(say_nothing, "127.0.0.1")
    try:
        yield listening.sockets[0].getsockname()[1]
    finally:
        over.set()
        listening.close()


@pytest.mark.slow
@pytest.mark.parametrize("table", ["alembic_version", "alembic_version_ledger"])
async def test_locked(reader: str, database: Database, table: str) -> None:
    """Somebody holds the table; soon after the check has given up nothing of it waits either."""
    blocker = await connect(database.url)
    async with blocker.transaction():
        await blocker.execute(f"LOCK TABLE {table}")
        verdict = await checked(reader)
        assert verdict.state == "unreachable"
        assert str(verdict).endswith(" is locked by another session; stopped waiting")
        with anyio.fail_after(PATIENCE_S):
            while await blocker.fetchval(QUEUED):
                await asyncio.sleep(0.02)
    await blocker.close()
    assert (await checked(reader)).state == "current"


@pytest.mark.slow
async def test_standing_still(reader: str, database: Database, server: Server) -> None:
    """A session that was fine a moment ago, of a backend that does not run any more."""
    if not server.is_ours:
        pytest.skip("the server's processes are not ours to stop")
    kept = replace(access_to(reader), pool_size=1, pool_max_overflow=0)
    async with engine(kept, "app") as made:
        assert (await check(made, BUILD)).state == "current"
        async with made.connect() as connection:
            raw = await connection.get_raw_connection()
            assert raw.driver_connection is not None
            pid = raw.driver_connection.get_server_pid()
        os.kill(pid, signal.SIGSTOP)
        try:
            began_s = time.monotonic()
            verdict = await check(made, BUILD)
            assert time.monotonic() - began_s < within(PATIENCE_S)
        finally:
            os.kill(pid, signal.SIGCONT)
        assert str(verdict).endswith(" cannot be reached: no answer within 2 s")
        assert (await check(made, BUILD)).state == "current"
