"""`pg_cancel_backend` by somebody else, or a timeout, where no revision is in a statement."""

from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from harness.databases import WAITING, Database, engine, execute, value
from harness.runs import Chain, Launcher
from harness.states import state_of, wait_until
from surefoot.compat import asyncpg as compat
from surefoot.connect.database import Role
from surefoot.errors import UpgradeFailed
from surefoot.run.commands import upgrade
from surefoot.run.events import Event, Started
from surefoot.run.locks import mutex
from surefoot.target import Target

CANCELS_ITSELF = "SELECT pg_cancel_backend(pg_backend_pid())"
INSERT = text("INSERT INTO t VALUES (1)")


class Canceller:
    """Cancels, in the server, the next statement that begins so."""

    def __init__(self) -> None:
        self.beginning: str | None = None

    def cancel(self, beginning: str) -> None:
        self.beginning = beginning

    def instead(self, query: str) -> str:
        if self.beginning is None:
            return query
        # A COMMIT may be the last statement of its message.
        if not query.startswith(self.beginning) and f"; {self.beginning} --" not in query:
            return query
        self.beginning = None
        return CANCELS_ITSELF


@pytest.fixture
def canceller(monkeypatch: pytest.MonkeyPatch) -> Canceller:
    """BEGIN, COMMIT or ROLLBACK arrives as a statement that is cancelled."""
    made, original = Canceller(), asyncpg.Connection.execute
    connection: Any = asyncpg.Connection
    copy = connection._copy_out

    async def instead(self: Any, query: str, *arguments: Any, **options: Any) -> str:
        return await original(self, made.instead(query), *arguments, **options)

    async def copied(self: Any, query: str, *arguments: Any) -> str:
        # A BEGIN that is sent with the statement after it.
        if (other := made.instead(query)) != query:
            await original(self, other)
        return str(await copy(self, query, *arguments))

    monkeypatch.setattr(compat.Connection, "execute", instead)
    monkeypatch.setattr(compat.Connection, "_copy_out", copied, raising=False)
    return made


@pytest.fixture(params=["app", "migrate"])
async def connection(
    request: pytest.FixtureRequest, empty_database: Database
) -> AsyncIterator[AsyncConnection]:
    """A connection of the engine, and a table."""
    role: Role = request.param
    await execute(empty_database.url, "CREATE TABLE t (id int)")
    async with engine(empty_database.access, role) as made, made.connect() as opened:
        yield opened


async def test_a_cancelled_begin_is_no_transaction(
    connection: AsyncConnection, canceller: Canceller, empty_database: Database
) -> None:
    """The next statement begins one, and what it commits stays."""
    await connection.commit()
    canceller.cancel("BEGIN")
    with pytest.raises(DBAPIError, match="canceling statement"):
        await connection.execute(INSERT)
    await connection.rollback()
    await connection.execute(INSERT)
    await connection.commit()
    assert await value(empty_database.url, "SELECT count(*) FROM t") == 1


@pytest.mark.parametrize("end", ["commit", "rollback"])
async def test_a_cancelled_end_is_an_end(
    connection: AsyncConnection, canceller: Canceller, empty_database: Database, end: str
) -> None:
    """Nothing is kept, and the next transaction is one of its own."""
    await connection.execute(INSERT)
    canceller.cancel(end.upper())
    with pytest.raises(DBAPIError, match="canceling statement"):
        await getattr(connection, end)()
    await connection.rollback()
    await connection.execute(INSERT)
    await connection.commit()
    assert await value(empty_database.url, "SELECT count(*) FROM t") == 1


@pytest.mark.parametrize("of", ["BEGIN", "COMMIT", "ROLLBACK"])
async def test_the_mutex_is_given_back_by_a_second_try(
    canceller: Canceller, empty_database: Database, of: str
) -> None:
    """Whichever part of the first one was cancelled."""
    number = mutex.key()

    def give_back(connection: Connection) -> None:
        connection.exec_driver_sql(f"SELECT pg_advisory_lock({number})")
        if of == "BEGIN":
            connection.commit()
        canceller.cancel(of)
        mutex.release(connection, number)

    async with engine(empty_database.access, "migrate") as made, made.connect() as connection:
        await connection.run_sync(give_back)
        assert canceller.beginning is None
        assert await value(empty_database.url, f"SELECT pg_try_advisory_lock({number})")


@pytest.mark.sample(2)
@pytest.mark.parametrize("of", ["BEGIN", "COMMIT"])
async def test_a_cancelled_revision_fails_and_is_recorded(
    chain: Chain, canceller: Canceller, empty_database: Database, of: str
) -> None:
    """On the connection that goes on; the same command finishes what is left."""
    chain.add("op.execute('CREATE TABLE t (id int)')")
    chain.add("op.execute('CREATE TABLE half (id int)')")
    async with engine(empty_database.access, "migrate") as made:
        target = Target.of(made, chain.ini)
        await upgrade(target, "0001")

        def listen(event: Event) -> None:
            if isinstance(event, Started):
                canceller.cancel(of)

        with pytest.raises(UpgradeFailed, match="canceling statement due to user request"):
            await upgrade(target, listen=listen)
        left = await state_of(empty_database)
        assert left.heads == ("0001",)
        assert [row.outcome for row in left.ledger] == ["applied", "measured", "failed"]
        assert not await value(empty_database.url, "SELECT to_regclass('half') IS NOT NULL")
        assert (await upgrade(target)).after == ("0002",)


@pytest.mark.slow
async def test_a_look_that_was_cancelled_is_told_in_words(
    chain: Chain,
    launcher: Launcher,
    empty_database: Database,
    watcher: asyncpg.Connection,
    blocker: asyncpg.Connection,
) -> None:
    """Before the first revision there is nothing to record, and nothing that is half done."""
    chain.add("op.execute('CREATE TABLE t (id int)')")
    url = empty_database.url
    assert (await launcher.alembic(chain, "upgrade", "0001", url=url)).code == 0
    chain.add("op.execute('CREATE TABLE half (id int)')")
    await blocker.execute("BEGIN; LOCK TABLE alembic_version_ledger")
    run = await launcher.start(
        chain, "upgrade", "0002", url=url, env={"SUREFOOT_TEST_LOCK_TIMEOUT_S": "60"}
    )
    await wait_until(watcher, f"SELECT count(*) = 1 FROM {WAITING}")
    await watcher.execute(f"SELECT pg_cancel_backend(pid) FROM {WAITING}")
    result = await run.end(timeout_s=10)
    assert result.code == 75, result.err
    assert result.err == (
        f"ERROR [statement-cancelled]  database {empty_database.name!r} ended a statement: "
        "canceling statement due to user request\n"
        "  help: run the same command again: committed work stays, the rest was rolled back\n"
    )
