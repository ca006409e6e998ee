"""A revision commits, rolls back, prepares or connects by any way that the server knows."""

from __future__ import annotations

import asyncpg
import pytest

from harness.databases import Database
from harness.private import PrivateServer
from harness.runs import Chain, Launcher

INSERT = "op.execute('INSERT INTO t VALUES (1)')"
DRIVER = (
    "from sqlalchemy.util import await_only\n"
    "send = op.get_bind().connection.driver_connection.execute\n"
)
COMMITTED = "what it did before it committed by itself"
UNKNOWN = "not known: it ended its transaction by itself"
# The body, the exit code, the error, the part that is kept, and the rows that are there afterwards.
BODIES = {
    "a commit": (f"{INSERT}\nop.execute('COMMIT')", 3, "commits-by-itself", "nothing", 0),
    "a nested comment": (
        f"{INSERT}\nop.execute('/* a /* b */ c */ COMMIT')",
        4,
        "commits-by-itself",
        COMMITTED,
        1,
    ),
    "a commit by the driver": (
        f"{INSERT}\n{DRIVER}await_only(send('COMMIT'))",
        4,
        "commits-by-itself",
        COMMITTED,
        1,
    ),
    "a commit by the driver, and more": (
        f"{INSERT}\n{DRIVER}await_only(send('COMMIT'))\nop.execute('SELECT 1')",
        4,
        "commits-by-itself",
        COMMITTED,
        1,
    ),
    "a commit in a string": (
        f"{DRIVER}await_only(send('INSERT INTO t VALUES (1);COMMIT'))",
        4,
        "commits-by-itself",
        COMMITTED,
        1,
    ),
    "a commit and a new transaction": (
        f"{DRIVER}await_only(send('INSERT INTO t VALUES (1);COMMIT;BEGIN'))\n{INSERT}",
        4,
        "commits-by-itself",
        COMMITTED,
        1,
    ),
    "a cursor of the driver": (
        f"{INSERT}\nop.get_bind().connection.cursor().execute('COMMIT')",
        4,
        "commits-by-itself",
        COMMITTED,
        1,
    ),
    "a commit, then a failure": (
        f"{INSERT}\n{DRIVER}await_only(send('COMMIT;BEGIN'))\nop.execute('SELECT 1/0')",
        4,
        "run-failed",
        COMMITTED,
        1,
    ),
    "a rollback by the driver": (
        f"{INSERT}\n{DRIVER}await_only(send('ROLLBACK'))",
        4,
        "commits-by-itself",
        UNKNOWN,
        0,
    ),
    "a rollback by the driver, then a commit": (
        f"{DRIVER}await_only(send('ROLLBACK;BEGIN;INSERT INTO t VALUES (1);COMMIT'))",
        4,
        "commits-by-itself",
        UNKNOWN,
        1,
    ),
    "a rollback in a comment": (
        f"{INSERT}\nop.execute('/*/**/*/ROLLBACK')",
        3,
        "commits-by-itself",
        "nothing",
        0,
    ),
    "a rollback in Python": (
        f"{INSERT}\nop.get_bind().rollback()\n{INSERT}",
        3,
        "commits-by-itself",
        "nothing",
        0,
    ),
    "a second connection": (
        f"{INSERT}\nwith op.get_bind().engine.begin() as other:\n"
        "    other.exec_driver_sql('INSERT INTO t VALUES (2)')",
        3,
        "connects-by-itself",
        "nothing",
        0,
    ),
    "a savepoint": (f"with op.get_bind().begin_nested():\n    {INSERT}", 0, "", "", 1),
    "a savepoint in SQL": (
        f"op.execute('SAVEPOINT a')\n{INSERT}\nop.execute('ROLLBACK TO a')\n{INSERT}",
        0,
        "",
        "",
        1,
    ),
    "a failure": (f"{INSERT}\nop.execute('SELECT 1/0')", 4, "run-failed", "nothing", 0),
}


@pytest.mark.slow
@pytest.mark.parametrize(("body", "code", "error", "kept", "rows"), BODIES.values(), ids=BODIES)
async def test_the_server_is_asked_what_is_kept(
    chain: Chain,
    launcher: Launcher,
    empty_database: Database,
    watcher: asyncpg.Connection,
    body: str,
    code: int,
    error: str,
    kept: str,
    rows: int,
) -> None:
    """Exit code 3 only where nothing is; else the message says what the server knows."""
    chain.add("op.execute('CREATE TABLE t (id int)')")
    first = await launcher.alembic(chain, "upgrade", "head", url=empty_database.url)
    assert first.code == 0, first.err
    ledger = "SELECT outcome FROM alembic_version_ledger WHERE revision = '0002'"
    chain.add(body)
    result = await launcher.alembic(chain, "upgrade", "head", url=empty_database.url)
    assert result.code == code, result.err
    assert "Traceback" not in result.err
    assert await watcher.fetchval("SELECT count(*) FROM t") == rows
    outcomes = [row[0] for row in await watcher.fetch(ledger)]
    if code == 0:
        assert outcomes == ["applied", "measured"]
        return
    assert await watcher.fetchval("SELECT version_num FROM alembic_version") == "0001"
    if code == 3:
        assert f"REFUSED [{error}]  0002 " in result.err
        assert outcomes == []
    else:
        name = "[run-failed]" if error == "run-failed" else f"({error})"
        assert name in result.err
        assert f"\n  done: nothing\n  kept of 0002: {kept}\n" in result.err
        assert outcomes == ["failed"]


# The driver may have been given more than one statement, so it is not known what else is kept.
PREPARING = {
    "op.execute(\"/* a /* b */ c */ PREPARE TRANSACTION 'x'\")": 3,
    f"{DRIVER}await_only(send(\"PREPARE TRANSACTION 'it''s'\"))": 4,
}


@pytest.mark.slow  # it starts a server
async def test_a_transaction_that_was_prepared_is_rolled_back(
    chain: Chain, launcher: Launcher, private_server: PrivateServer
) -> None:
    """It would hold its locks until somebody ends it."""
    url = private_server(max_prepared_transactions="2").url("postgres")
    chain.add("op.execute('CREATE TABLE t (id int)')")
    first = await launcher.alembic(chain, "upgrade", "head", url=url)
    assert first.code == 0, first.err
    chain.add("pass")
    path = chain.path("0002")
    text = path.read_text()
    watcher = await asyncpg.connect(url)
    for statement, code in PREPARING.items():
        body = "\n".join(f"    {line}" for line in f"{INSERT}\n{statement}".splitlines())
        path.write_text(text.replace("    pass", body, 1))
        chain.lock()
        result = await launcher.alembic(chain, "upgrade", "head", url=url)
        assert result.code == code, result.err
        assert "0002 ends its transaction by itself" in result.err
        assert await watcher.fetchval("SELECT count(*) FROM pg_prepared_xacts") == 0
        assert await watcher.fetchval("SELECT count(*) FROM t") == 0
    await watcher.close()


@pytest.mark.slow  # it starts a server
async def test_a_prepared_transaction_that_the_role_may_not_end_is_not_called_rolled_back(
    chain: Chain, launcher: Launcher, private_server: PrivateServer
) -> None:
    """It belongs to the role of the moment, and the driver's error says that it is still there."""
    url = private_server(max_prepared_transactions="2").url("postgres")
    watcher = await asyncpg.connect(url)
    await watcher.execute(
        "CREATE ROLE other; CREATE ROLE migrator LOGIN IN ROLE other; "
        "GRANT ALL ON SCHEMA public TO migrator"
    )
    chain.add("op.execute('CREATE TABLE t (id int)')")
    chain.add(
        "op.execute('INSERT INTO t VALUES (1)')\n"
        "op.execute('SET LOCAL ROLE other')\n"
        f"{DRIVER}await_only(send(\"PREPARE TRANSACTION 'x'\"))"
    )
    url = url.replace("://postgres@", "://migrator@").replace("://tester@", "://migrator@")
    assert "migrator" in url
    result = await launcher.alembic(chain, "upgrade", "head", url=url)
    assert result.code == 4, result.err
    assert "0002 ends its transaction by itself" in result.err
    assert "\n  kept of 0002: not known" in result.err
    assert await watcher.fetchval("SELECT owner FROM pg_prepared_xacts") == "other"
    await watcher.execute("ROLLBACK PREPARED 'x'")
    await watcher.close()


@pytest.mark.slow
async def test_only_the_revisions_that_run_are_judged(
    chain: Chain, launcher: Launcher, empty_database: Database
) -> None:
    """The source of the others is not held against the command, up or down, online or as SQL."""
    block = "with op.get_context().autocommit_block():\n    op.execute('SELECT 1')"
    chain.add("op.execute('CREATE TABLE t (id int)')", block)
    chain.add(INSERT)
    chain.add(block)
    url = empty_database.url
    for command in ("upgrade +1", "upgrade 0001:0002 --sql", "upgrade +1", "downgrade -1"):
        done = await launcher.alembic(chain, *command.split(), url=url)
        assert done.code == 0, (command, done.err)
    for command in ("upgrade head", "upgrade 0001:head --sql", "downgrade -1"):
        refused = await launcher.alembic(chain, *command.split(), url=url)
        assert (refused.code, "[commits-by-itself]" in refused.err) == (3, True), refused.err
    current = await launcher.alembic(chain, "current", url=url)
    assert current.out == "0001\n"
