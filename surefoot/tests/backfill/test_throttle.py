"""A backfill gives way: each reason is seen on a server, by its name, and ends."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import asyncpg
import pytest

from harness.clock import within
from harness.databases import Database, connect
from harness.private import REPLICATING, PrivateServer, standby
from surefoot.backfill.probe import slow
from surefoot.backfill.throttle import (
    Look,
    Lookout,
    Seen,
    reasons,
    unknown,
    wal_rate,
)
from surefoot.connect.limits import Limits
from surefoot.connect.throttle import Throttle

# Nothing is looked at.
NOTHING = Throttle(
    replica_lag_s=None,
    replica_lag_bytes=None,
    slot_lag_bytes=None,
    waiting_locks=None,
    transaction_age_s=None,
    vacuum=None,
    archive_files=None,
)
QUIET = Seen(
    at_s=10.0,
    wal_bytes=0,
    replicas=(),
    hidden_replicas=0,
    slots=(),
    waiting=0,
    oldest=None,
    hidden_sessions=0,
    vacuums=(),
    hidden_vacuums=0,
    failed_file=None,
    archive_files=0,
    is_table=True,
)
Connection = asyncpg.Connection


@asynccontextmanager
async def session(url: str, name: str = "report") -> AsyncIterator[Connection]:
    """A connection that is gone at the end, whatever it waits for."""
    connection = await connect(url, name)
    try:
        yield connection
    finally:
        connection.terminate()


@pytest.fixture
async def files(empty_database: Database) -> AsyncIterator[Connection]:
    """A session of a backfill, in a database with a table and a partitioned one."""
    async with session(empty_database.url, "shop-backfill@here") as connection:
        await connection.execute(
            "CREATE TABLE files (id int, size int); CREATE TABLE parts (id int) "
            "PARTITION BY LIST (id); CREATE TABLE parts_1 PARTITION OF parts DEFAULT"
        )
        yield connection


async def until(
    lookout: Lookout, connection: Connection, is_it: Callable[[Look], bool], change: str = ""
) -> Look:
    """The first look for which it is so; the last one where that takes too long."""
    deadline_s = time.monotonic() + within(20)
    while True:
        look = await lookout.look(connection)
        if is_it(look) or time.monotonic() > deadline_s:
            return look
        if change:
            await connection.execute(change)
        await asyncio.sleep(0.05)


def kinds(look: Look) -> set[str]:
    return {each.kind for each in look.reasons}


async def test_nothing_stands_in_the_way_of_a_quiet_database(files: Connection) -> None:
    """By the defaults, which are those of Limits, and nothing is left unseen."""
    look = await Lookout("files", Limits().throttle).look(files)
    assert (look.reason, look.untold) == (None, [])


async def test_a_session_that_waits_for_the_table(
    files: Connection, empty_database: Database
) -> None:
    """Of the table or a partition of it, and not a session of the backfill on another machine."""
    parts = Lookout("parts", NOTHING)
    locks = Lookout("public.parts", replace(NOTHING, waiting_locks=1))
    url = empty_database.url
    async with session(url) as holder, session(url, "shop-backfill@there") as ours:
        await holder.execute("BEGIN; LOCK TABLE parts_1")
        own = asyncio.ensure_future(ours.execute("BEGIN; LOCK TABLE parts_1"))
        async with session(url) as waiter:
            waiting = asyncio.ensure_future(waiter.execute("SELECT FROM parts_1"))
            look = await until(locks, files, lambda look: bool(look.reasons))
            assert look.reason == "1 session waits for a lock on the table"
            assert (await parts.look(files)).reason is None
            assert (await Lookout("files", Throttle()).look(files)).reason is None
            await end(files, waiter, waiting)
        look = await until(locks, files, lambda look: not look.reasons)
        assert look.reason is None
        assert not own.done()
        await end(files, ours, own)


async def end(by: Connection, of: Connection, work: asyncio.Future[str]) -> None:
    """End a session in the middle of its work; a wait goes on where its client has gone."""
    await by.execute(f"SELECT pg_terminate_backend({of.get_server_pid()})")
    with suppress(Exception):
        await work


async def test_an_old_transaction(files: Connection, empty_database: Database) -> None:
    """That of a session which has a snapshot or has written; it is named."""
    throttle = replace(NOTHING, transaction_age_s=0.0)
    async with session(empty_database.url) as report:
        await report.execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT FROM files")
        pid = report.get_server_pid()
        reason = (await Lookout("files", throttle).look(files)).reason or ""
        assert reason.startswith(f"a transaction of report (pid {pid}) is ")
        assert reason.endswith(" s old and holds back vacuum")
        assert (await Lookout("files", Throttle()).look(files)).reason is None
        await report.execute("ROLLBACK; BEGIN")
        assert (await Lookout("files", throttle).look(files)).reason is None


async def test_a_vacuum_at_work(files: Connection, empty_database: Database) -> None:
    """Of the table, and not one of the backfill itself."""
    await files.execute("INSERT INTO files SELECT i FROM generate_series(1, 50000) i")
    lookout = Lookout("files", replace(NOTHING, vacuum=True))
    url = empty_database.url
    for name, expected in (("cron", "VACUUM of files is at work"), ("shop-backfill@there", None)):
        async with session(url, name) as vacuum, session(url) as watcher:
            await vacuum.execute("SET vacuum_cost_delay = 100; SET vacuum_cost_limit = 1")
            work = asyncio.ensure_future(vacuum.execute("VACUUM files"))
            there = "SELECT count(*) FROM pg_stat_progress_vacuum WHERE relid = 'files'::regclass"
            deadline_s = time.monotonic() + within(20)
            while not await watcher.fetchval(there) and time.monotonic() < deadline_s:
                await asyncio.sleep(0.02)
            assert (await lookout.look(files)).reason == expected
            await watcher.execute(f"SELECT pg_cancel_backend({vacuum.get_server_pid()})")
            with pytest.raises(asyncpg.QueryCanceledError):
                await work


@pytest.mark.slow
async def test_the_rate_of_wal(files: Connection) -> None:
    """From two looks, once they are far enough apart."""
    lookout = Lookout("files", replace(NOTHING, wal_bytes_per_s=0))
    assert (await lookout.look(files)).reason is None
    write = "INSERT INTO files SELECT i FROM generate_series(1, 1000) i"
    look = await until(lookout, files, lambda look: bool(look.reasons), write)
    assert (look.reason or "").startswith("the server writes ")
    assert wal_rate(None, QUIET) is None
    assert wal_rate(QUIET, replace(QUIET, at_s=10.5, wal_bytes=7)) is None
    assert wal_rate(QUIET, replace(QUIET, at_s=12.0, wal_bytes=7)) == 3.5


@pytest.mark.slow
async def test_an_archiver_that_fails(private_server: PrivateServer) -> None:
    """It is told, and how many files wait; a role that may not count them is told that."""
    options = {"archive_mode": "on", "archive_command": "false", "wal_level": "replica"}
    url = private_server(**options).url("postgres")
    async with session(url) as connection:
        await connection.execute("CREATE TABLE files (id int)")
        lookout = Lookout("files", replace(NOTHING, archive_files=0))
        switch = "INSERT INTO files VALUES (1); SELECT pg_switch_wal()"
        look = await until(lookout, connection, lambda look: len(look.reasons) == 2, switch)
        texts = [each.text for each in look.reasons]
        assert kinds(look) == {"archiver"}
        assert texts[0].startswith("the archiver fails at 0000000")
        assert texts[1].endswith(" to be archived")
        await connection.execute("CREATE ROLE plain; SET ROLE plain")
        hidden = "how many files wait to be archived: the role is no member of pg_monitor"
        look = await lookout.look(connection)
        assert (kinds(look), look.untold) == ({"archiver"}, [hidden])
        assert (await lookout.look(connection)).untold == []
        off = await Lookout("files", NOTHING).look(connection)
        assert (off.reason, off.untold) == (None, [])


@pytest.mark.slow
async def test_a_standby_behind(private_server: PrivateServer) -> None:
    """It is named by its application_name, with bytes or with seconds."""
    primary = private_server(**REPLICATING)
    with standby(primary, "eu-2") as replica:
        async with session(primary.url("postgres")) as connection, session(replica) as there:
            await connection.execute("CREATE TABLE files (id int)")
            write = "INSERT INTO files SELECT i FROM generate_series(1, 100) i"
            await there.execute("SELECT pg_wal_replay_pause()")
            lookout = Lookout("files", replace(NOTHING, replica_lag_bytes=1000))
            look = await until(lookout, connection, lambda look: bool(look.reasons), write)
            reason = look.reason or ""
            assert reason.startswith("replica eu-2 is ")
            assert reason.endswith("B behind")
            await there.execute("SELECT pg_wal_replay_resume()")
            look = await until(lookout, connection, lambda look: not look.reasons)
            assert look.reason is None
            lookout = Lookout("files", replace(NOTHING, replica_lag_s=0))
            look = await until(lookout, connection, lambda look: bool(look.reasons), write)
            assert (look.reason or "").startswith("replica eu-2 is ")
            assert (look.reason or "").endswith(" s behind")
            await connection.execute("CREATE ROLE plain; SET ROLE plain")
            look = await lookout.look(connection)
            assert look.untold == [
                "how far replicas are behind: the role is no member of pg_monitor"
            ]


@pytest.mark.slow
async def test_a_slot_behind(private_server: PrivateServer) -> None:
    """It is named; one that has lost its WAL as well, and what to do."""
    options = {"wal_level": "logical", "max_slot_wal_keep_size": "16MB", "max_wal_size": "32MB"}
    url = private_server(**options, min_wal_size="32MB").url("postgres")
    async with session(url) as connection:
        await connection.execute("CREATE TABLE files (id int)")
        create = "SELECT pg_create_logical_replication_slot('audit', 'pgoutput')"
        await connection.execute(create)
        lookout = Lookout("files", replace(NOTHING, slot_lag_bytes=1000))
        assert (await lookout.look(connection)).reason is None
        write = "INSERT INTO files SELECT i FROM generate_series(1, 1000) i"
        look = await until(lookout, connection, lambda look: bool(look.reasons), write)
        reason = look.reason or ""
        assert reason.startswith("slot audit is ")
        assert reason.endswith("B behind")
        lost = "slot audit has lost its WAL: drop it"
        switch = "INSERT INTO files VALUES (1); SELECT pg_switch_wal(); CHECKPOINT"
        look = await until(lookout, connection, lambda look: look.reason == lost, switch)
        assert look.reason == lost
        await connection.execute("SELECT pg_drop_replication_slot('audit')")
        assert (await lookout.look(connection)).reason is None


async def test_a_role_that_sees_little(files: Connection, empty_database: Database) -> None:
    """The transactions and vacuums of others are unknown to it: that is told, once."""
    async with session(empty_database.url) as report, session(empty_database.url) as vacuum:
        await report.execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT FROM files")
        await files.execute("INSERT INTO files SELECT i FROM generate_series(1, 50000) i")
        await vacuum.execute("SET vacuum_cost_delay = 100; SET vacuum_cost_limit = 1")
        work = asyncio.ensure_future(vacuum.execute("VACUUM files"))
        busy = Lookout("files", replace(NOTHING, vacuum=True))
        assert (await until(busy, files, lambda look: bool(look.reasons))).reason is not None
        await files.execute("CREATE ROLE plain_looker; SET ROLE plain_looker")
        try:
            lookout = Lookout("files", replace(Throttle(), transaction_age_s=0))
            looks = [await lookout.look(files) for _ in range(2)]
        finally:
            await files.execute("RESET ROLE; DROP ROLE plain_looker")
        assert [look.reason for look in looks] == [None, None]
        assert [len(look.untold) for look in looks] == [2, 0]
        assert looks[0].untold == [
            "how old the transactions of other roles are: the role is no member of pg_monitor",
            "which table a vacuum is at work on: the role is no member of pg_monitor",
        ]
        await end(files, vacuum, work)


async def test_a_table_that_is_not_there(files: Connection) -> None:
    """Its locks are unknown."""
    look = await Lookout("nowhere", Throttle()).look(files)
    assert look.untold == ["locks and vacuum: the table is not there"]


def test_what_no_threshold_asks_for_is_not_told() -> None:
    """Neither as a reason nor as unknown."""
    seen = replace(
        QUIET,
        replicas=(("eu-2", 99.0, 10**12),),
        slots=(("a", None, "lost"), ("b", 10**12, "unreserved")),
        waiting=9,
        oldest=("a transaction", 9999.0),
        vacuums=(("files", "autovacuum"),),
        failed_file="0001",
        archive_files=None,
        hidden_replicas=1,
        hidden_sessions=1,
        hidden_vacuums=1,
        is_table=False,
    )
    assert [*reasons(seen, 10**9, NOTHING), *unknown(seen, NOTHING)] == []
    some = replace(Throttle(), wal_bytes_per_s=1_000_000)
    assert [each.text for each in reasons(seen, 8.3e7, some)] == [
        "replica eu-2 is 1 min 39 s behind",
        "slot a has lost its WAL: drop it",
        "slot b is about to lose its WAL",
        "9 sessions wait for a lock on the table",
        "a transaction is 2 h 47 min old and holds back vacuum",
        "autovacuum of files is at work",
        "the server writes 83 MB of WAL a second",
        "the archiver fails at 0001",
    ]
    assert len([*unknown(seen, some)]) == 5


@contextmanager
def service() -> Iterator[str]:
    """The URL of a service whose answers are 200, 503, or none."""
    ends = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/slow":
                ends.wait(30)
            self.send_response(503 if self.path == "/busy" else 200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        ends.set()
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.slow
async def test_a_service_that_is_slow(files: Connection) -> None:
    """By a URL or a statement; an error counts, and the session goes on after it."""
    with service() as url:
        for probe, bound_ms, expected in (
            (f"{url}/", 30_000, None),
            (f"{url}/busy", 30_000, "the probe fails: status 503"),
            (f"{url}/slow", 100, "the probe takes longer than 100 ms"),
            ("SELECT 1", 30_000, None),
            ("SELECT pg_sleep(30)", 100, "the probe takes longer than 100 ms"),
        ):
            assert await slow(files, probe, bound_ms) == expected
            look = await Lookout("files", replace(NOTHING, probe=probe, probe_ms=bound_ms)).look(
                files
            )
            assert (look.reason, kinds(look)) == (expected, {"probe"} if expected else set())
    refused = await slow(files, f"{url}/", 30_000)
    assert (refused or "").startswith("the probe fails: ")
    assert "nothing" in (await slow(files, "SELECT nothing", 30_000) or "")
    assert await files.fetchval("SELECT 1") == 1
