"""A revision needs many locks, and somebody has each of them."""

import asyncio
import re
from collections.abc import AsyncIterator

import asyncpg
import pytest

from harness.databases import Database, connect
from harness.probes import LATE, PROBE, probing
from harness.runs import Chain, Launcher
from harness.states import wait_until
from surefoot.connect.limits import Limits

TABLES = 6
# Less than the lock timeout, which is for one lock.
HELD_S = 0.15
BOUND_S = Limits.lock_timeout_s + 0.05
SETUP = (
    "CREATE TABLE t (id int, n int) PARTITION BY RANGE (id)",
    *(
        f"CREATE TABLE t{n} PARTITION OF t FOR VALUES FROM ({n}) TO ({n + 1})"
        for n in range(1, TABLES + 1)
    ),
    f"INSERT INTO t SELECT n, n FROM generate_series(1, {TABLES}) n",
    "CREATE TABLE u AS SELECT 1 AS n",
    "ALTER TABLE t1 ADD CONSTRAINT c CHECK (n > 0) NOT VALID",
    "ALTER TABLE u ADD CONSTRAINT c CHECK (n > 0) NOT VALID",
)
ASKED = (
    "SELECT relation::regclass::text FROM pg_locks WHERE NOT granted "
    "AND mode = 'AccessExclusiveLock' AND relation > 16383 AND database = "
    "(SELECT oid FROM pg_database WHERE datname = current_database())"
)


@pytest.fixture(autouse=True)
async def tables(
    chain: Chain, launcher: Launcher, empty_database: Database, watcher: asyncpg.Connection
) -> None:
    """Made by a revision, and a function that asks them."""
    chain.add("\n".join(f"op.execute('{statement}')" for statement in SETUP))
    result = await launcher.alembic(chain, "upgrade", "head", url=empty_database.url)
    assert result.code == 0, result.err
    await watcher.execute(PROBE)


@pytest.fixture
async def readers(
    empty_database: Database, tables: None
) -> AsyncIterator[dict[str, asyncpg.Connection]]:
    """One for each partition, in a transaction."""
    found = {}
    for number in range(1, TABLES + 1):
        reader = await connect(empty_database.url, f"reader {number}")
        await reader.execute(f"BEGIN; SELECT FROM t{number}")
        found[f"t{number}"] = reader
    yield found
    for reader in found.values():
        await reader.close()


async def release_when_asked(
    watcher: asyncpg.Connection, readers: dict[str, asyncpg.Connection]
) -> None:
    """Each reader ends its transaction soon after somebody has asked for its lock."""
    left = dict(readers)
    while left:
        for (name,) in await watcher.fetch(ASKED):
            if (reader := left.pop(name, None)) is not None:
                asyncio.get_running_loop().call_later(
                    HELD_S, asyncio.ensure_future, reader.execute("COMMIT")
                )
        await asyncio.sleep(0.005)


@pytest.mark.slow
@pytest.mark.parametrize(
    "body",
    [
        "op.execute('ALTER TABLE t ADD COLUMN m int')",
        "\n".join(
            f"op.execute('ALTER TABLE t{n} ADD CONSTRAINT d CHECK (n > 0) NOT VALID')"
            for n in range(1, TABLES + 1)
        ),
        "op.execute('''DO $$ BEGIN "
        + " ".join(f"LOCK TABLE t{n};" for n in range(1, TABLES + 1))
        + " END $$''')",
    ],
    ids=["one statement", "many statements", "a block"],
)
async def test_all_waits_of_an_attempt_together_are_bounded(
    chain: Chain,
    launcher: Launcher,
    empty_database: Database,
    watcher: asyncpg.Connection,
    readers: dict[str, asyncpg.Connection],
    body: str,
) -> None:
    """Each wait is shorter than the lock timeout; a reader of the first table waits for all."""
    await bounded(chain, launcher, empty_database.url, watcher, readers, body)


@pytest.fixture
async def set_role(
    empty_database: Database, watcher: asyncpg.Connection, tables: None
) -> AsyncIterator[str]:
    """The URL for a role whose sessions begin as the owner of everything, by ALTER ROLE … SET."""
    owner, login = f"{empty_database.name}_owner", f"{empty_database.name}_login"
    await watcher.execute(
        f"CREATE ROLE {owner}; CREATE ROLE {login} LOGIN; GRANT {owner} TO {login}; "
        f"ALTER ROLE {login} SET role = {owner}; GRANT ALL ON SCHEMA public TO {owner}"
    )
    for (change,) in await watcher.fetch(
        "SELECT format('ALTER TABLE %s OWNER TO ' || $1, oid::regclass) FROM pg_class "
        "WHERE relkind IN ('r', 'p') AND relnamespace = 'public'::regnamespace "
        "UNION ALL SELECT format('ALTER FUNCTION %s OWNER TO ' || $1, oid::regprocedure) "
        "FROM pg_proc WHERE pronamespace = 'public'::regnamespace",
        owner,
    ):
        await watcher.execute(change)
    yield empty_database.url.replace("://tester@", f"://{login}@")
    await watcher.execute(f"DROP OWNED BY {owner} CASCADE; DROP ROLE {owner}, {login}")


@pytest.mark.slow
async def test_they_are_after_a_set_role(
    chain: Chain,
    launcher: Launcher,
    watcher: asyncpg.Connection,
    set_role: str,  # before the readers, who hold the tables
    readers: dict[str, asyncpg.Connection],
) -> None:
    """A role is no member of the one that has logged in, and sees of its sessions no wait."""
    body = "op.execute('ALTER TABLE t ADD COLUMN m int')"
    await bounded(chain, launcher, set_role, watcher, readers, body)


async def bounded(
    chain: Chain,
    launcher: Launcher,
    url: str,
    watcher: asyncpg.Connection,
    readers: dict[str, asyncpg.Connection],
    body: str,
) -> None:
    """Upgrade by such a revision, beside readers and probes, and look at the longest stall."""
    chain.add(body)
    of_tester = re.sub(r"://\w+@", "://tester@", url)
    stalls_s: list[float] = []
    late_s: list[float] = []
    over = asyncio.Event()
    probes = [
        asyncio.create_task(probing(of_tester, seconds, over, query))
        for seconds, query in ((stalls_s, "SELECT probe('t', 1)"), (late_s, LATE))
        for _ in range(4)
    ]
    releasing = asyncio.create_task(release_when_asked(watcher, readers))
    result = await launcher.alembic(chain, "upgrade", "head", url=url)
    over.set()
    assert result.code == 0, result.err
    await asyncio.gather(releasing, *probes)
    print(f"longest stall {max(stalls_s):.3f} s, {result.err.count('BLOCKED')} attempts failed")
    assert HELD_S / 2 < max(stalls_s) <= BOUND_S + max(late_s), result.err


@pytest.mark.parametrize(
    ("held", "probe"),
    [
        ("ALTER TABLE t ADD COLUMN m int", "SELECT probe('t', 1)"),
        pytest.param(
            "LOCK TABLE t IN SHARE MODE", "UPDATE t SET n = 1 WHERE id = 1", marks=pytest.mark.slow
        ),
        pytest.param(
            "UPDATE t SET n = 1 WHERE id = 1",
            "UPDATE t SET n = 1 WHERE id = 1",
            marks=pytest.mark.slow,
        ),
    ],
)
async def test_beside_a_lock_that_others_wait_for_no_statement_is_patient(
    chain: Chain,
    launcher: Launcher,
    empty_database: Database,
    watcher: asyncpg.Connection,
    blocker: asyncpg.Connection,
    held: str,
    probe: str,
) -> None:
    """ANALYZE by itself may wait for ten minutes; here it gets what any statement gets."""
    url = empty_database.url
    chain.add(f'op.execute("{held}")\nop.execute("ANALYZE u")')
    await blocker.execute("BEGIN; LOCK TABLE u IN SHARE UPDATE EXCLUSIVE MODE")
    run = await launcher.start(chain, "upgrade", "head", url=url)
    await wait_until(
        watcher,
        "SELECT count(*) > 0 FROM pg_locks WHERE NOT granted AND relation = 'u'::regclass",
    )
    began = await watcher.fetchval("SELECT clock_timestamp()")
    await watcher.execute(probe)
    stall_s = await watcher.fetchval(
        "SELECT extract(epoch FROM clock_timestamp() - $1)::float8", began
    )
    print(f"stall {stall_s:.3f} s")
    assert stall_s <= 2 * BOUND_S
    await run.says(f"by: pid {blocker.get_server_pid()} blocker")
    await blocker.execute("COMMIT")
    result = await run.end(timeout_s=20)
    assert result.code == 0, result.err


@pytest.mark.slow
async def test_a_statement_that_nobody_waits_for_is_patient(
    chain: Chain,
    launcher: Launcher,
    empty_database: Database,
    watcher: asyncpg.Connection,
    blocker: asyncpg.Connection,
) -> None:
    """Also the second one of a revision: a validation writes to the catalog alone."""
    url = empty_database.url
    chain.add(
        "op.execute('ALTER TABLE t1 VALIDATE CONSTRAINT c')\n"
        "op.execute('ALTER TABLE u VALIDATE CONSTRAINT c')"
    )
    await blocker.execute("BEGIN; LOCK TABLE u IN SHARE UPDATE EXCLUSIVE MODE")
    run = await launcher.start(chain, "upgrade", "head", url=url)
    await wait_until(
        watcher,
        "SELECT count(*) > 0 FROM pg_locks WHERE NOT granted AND relation = 'u'::regclass "
        "AND waitstart < clock_timestamp() - interval '0.6 s'",
    )
    await blocker.execute("COMMIT")
    result = await run.end(timeout_s=20)
    assert (result.code, result.err.count("BLOCKED")) == (0, 0), result.err
