"""On an empty database revisions share a transaction, and fail as if each had its own."""

import json
import re
import signal
from collections.abc import Sequence

import asyncpg
import pytest
from sqlalchemy import event, text

from harness.databases import Database, connect, engine, occupy
from harness.private import PrivateServer
from harness.proxy import Network
from harness.runs import Chain, Launcher
from harness.states import gone, state_of, wait_until
from surefoot.connect.limits import Limits
from surefoot.errors import UpgradeFailed
from surefoot.ledger.table import Ledger
from surefoot.run.commands import upgrade
from surefoot.run.events import Event, RevisionDone, StatementRunning
from surefoot.target import Target
from surefoot.wording import in_order

ENUM = """
op.execute("CREATE TYPE colour AS ENUM ('red')")
op.execute("CREATE TABLE paint (c colour)")
"""
ADDED = "op.execute(\"ALTER TYPE colour ADD VALUE 'blue'\")"
USED = "op.execute(\"INSERT INTO paint VALUES ('blue')\")"
INDEX = "op.create_index_concurrently('t_id', 't', ['id'])"
TABLE = "op.execute('CREATE TABLE t (id int)')"
TOGETHER = (
    "SELECT array_agg(array_length(ids, 1) ORDER BY first) FROM (SELECT min(id) AS first, "
    "array_agg(id) AS ids FROM alembic_version_ledger WHERE outcome = 'applied' "
    "GROUP BY coalesce(actor ->> 'transaction', id::text)) rows"
)


def tables(chain: Chain, *names: str) -> None:
    """A revision for each table."""
    for name in names:
        chain.add(f"op.execute('CREATE TABLE {name} (id int)')")


async def upgraded(
    chain: Chain, database: Database, *, to: str = "head", limits: Limits | None = None
) -> list[str]:
    """Upgrade; the revisions that the events told of."""
    told: list[str] = []

    def listen(event: Event) -> None:
        if isinstance(event, RevisionDone):
            told.append(event.revision.revision)

    async with engine(database.access, "migrate") as made:
        target = Target.of(made, chain.ini, limits or Limits())
        await upgrade(target, to, listen=listen)
        async with made.connect() as connection:
            await connection.run_sync(Ledger().verify)
    return told


async def together(watcher: asyncpg.Connection) -> list[int]:
    """The number of revisions that each transaction has applied."""
    found: list[int] = await watcher.fetchval(TOGETHER)
    return found


@pytest.mark.slow
async def test_an_empty_database_gets_all_in_one_transaction(
    chain: Chain, empty_database: Database, watcher: asyncpg.Connection
) -> None:
    """With the rows that each alone would have; times do not go back."""
    names = [f"t{number}" for number in range(60)]
    tables(chain, *names)
    assert await upgraded(chain, empty_database) == chain.ids
    assert await together(watcher) == [60]
    rows = await watcher.fetch(
        "SELECT * FROM alembic_version_ledger WHERE outcome = 'applied' ORDER BY id"
    )
    assert [row["revision"] for row in rows] == chain.ids
    assert {(row["statements"], row["attempts"], row["direction"]) for row in rows} == {
        (1, 1, "upgrade")
    }
    started, finished = ([row[f"{each}_at"] for row in rows] for each in ("started", "finished"))
    assert (started, finished) == (sorted(started), sorted(finished))
    assert all(a <= b for a, b in zip(started, finished, strict=True))
    sent = [json.loads(row["details"])["sent"] for row in rows]
    assert all(each["duration_s"] >= 0 for (each,) in sent)
    assert await watcher.fetchval("SELECT version_num FROM alembic_version") == chain.ids[-1]
    assert (
        await watcher.fetchval("SELECT count(*) FROM pg_class WHERE relname LIKE 'surefoot%'") == 0
    )


@pytest.mark.slow
async def test_beside_somebody_else_each_commits_by_itself(
    chain: Chain, empty_database: Database, watcher: asyncpg.Connection
) -> None:
    """A table in whichever schema."""
    await occupy(empty_database)
    tables(chain, "a", "b", "c")
    await upgraded(chain, empty_database)
    assert await together(watcher) == [1, 1, 1]


@pytest.mark.sample(2)
@pytest.mark.parametrize(("given", "expected"), [("None", [3]), ("lambda **_: None", [1, 1, 1])])
async def test_a_function_of_the_project_hears_of_each(
    chain: Chain,
    empty_database: Database,
    watcher: asyncpg.Connection,
    given: str,
    expected: list[int],
) -> None:
    """So each commits by itself; None is no function."""
    env = chain.folder / "alembic" / "env.py"
    options = f'options={{"on_version_apply": {given}}}'
    env.write_text(env.read_text("utf-8").replace(").run()", f", {options}).run()"), "utf-8")
    tables(chain, "a", "b", "c")
    await upgraded(chain, empty_database)
    assert await together(watcher) == expected


@pytest.mark.slow
async def test_a_step_outside_the_transaction_ends_it(
    chain: Chain, empty_database: Database, watcher: asyncpg.Connection
) -> None:
    """Also one that the source does not show; those behind it share another one."""
    tables(chain, "t", "u")
    chain.add(f"def inside():\n    {INDEX}\ninside()")
    tables(chain, "v", "w")
    await upgraded(chain, empty_database)
    assert await together(watcher) == [2, 1, 2]
    assert await watcher.fetchval(
        "SELECT indisvalid FROM pg_index WHERE indexrelid='t_id'::regclass"
    )


@pytest.mark.slow
async def test_a_step_outside_the_transaction_may_be_the_first_in_one(
    chain: Chain, empty_database: Database, watcher: asyncpg.Connection
) -> None:
    """It follows another one, so its transaction has no rows of a revision to write."""
    tables(chain, "t")
    chain.add(INDEX)
    chain.add("op.drop_index_concurrently('t_id')")
    tables(chain, "v", "w")
    await upgraded(chain, empty_database)
    assert await together(watcher) == [1, 1, 1, 2]


@pytest.mark.slow
async def test_steps_outside_a_transaction_follow_one_another(
    chain: Chain, empty_database: Database, watcher: asyncpg.Connection
) -> None:
    """Nothing ran before them in the transaction that they leave."""
    tables(chain, "t")
    chain.add(INDEX)
    chain.add(INDEX.replace("t_id", "t_also"))
    tables(chain, "u", "v")
    chain.add("op.drop_index_concurrently('t_also')")
    await upgraded(chain, empty_database)
    assert await together(watcher) == [1, 1, 1, 2, 1]


@pytest.mark.slow
async def test_a_revision_that_needs_the_commit_before_it_gets_that(
    chain: Chain, empty_database: Database, watcher: asyncpg.Connection
) -> None:
    """A new value of an enum that was there cannot be used before it is committed."""
    chain.add(ENUM)
    chain.add(INDEX.replace("'t'", "'paint'").replace("['id']", "['c']"))
    chain.add(ADDED)
    chain.add(USED)
    tables(chain, "last")
    await upgraded(chain, empty_database)
    assert await watcher.fetchval("SELECT c::text FROM paint") == "blue"
    assert sum(await together(watcher)) == 5


@pytest.mark.slow
@pytest.mark.parametrize(
    "asked",
    [
        "op.execute('INSERT INTO seen SELECT version_num FROM alembic_version')",
        "op.execute('INSERT INTO seen SELECT version_num FROM Public.ALEMBIC_VERSION')",
        "revision = op.get_context().get_current_revision()\n"
        "op.execute(f\"INSERT INTO seen VALUES ('{revision}')\")",
        "op.execute('INSERT INTO seen SELECT revision FROM alembic_version_ledger '\n"
        "           'ORDER BY id DESC LIMIT 1')",
    ],
    ids=["version table", "capitals", "context", "ledger"],
)
async def test_a_revision_that_asks_where_the_database_is_sees_it(
    chain: Chain, empty_database: Database, watcher: asyncpg.Connection, asked: str
) -> None:
    """The rows of those before it are written before it runs."""
    tables(chain, "a", "b")
    chain.add("op.execute('CREATE TABLE seen (revision text)')")
    before = chain.ids[-1]
    chain.add(asked)
    tables(chain, "c")
    await upgraded(chain, empty_database)
    assert await watcher.fetchval("SELECT revision FROM seen") == before
    assert await together(watcher) == [3, 1, 1]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("stored", "asked"),
    [
        ("CREATE FUNCTION place() RETURNS text LANGUAGE sql AS 'SELECT {}'", "VALUES (place())"),
        ("-- for all\\nCREATE OR REPLACE VIEW place AS SELECT {} AS at", "SELECT at FROM place"),
    ],
    ids=["function", "view"],
)
async def test_what_tells_where_the_database_is_may_be_stored(
    chain: Chain, empty_database: Database, watcher: asyncpg.Connection, stored: str, asked: str
) -> None:
    """Then each revision commits by itself."""
    tables(chain, "a")
    chain.add("op.execute('CREATE TABLE seen (revision text)')")
    tell = stored.format("(SELECT max(version_num) FROM alembic_version)")
    chain.add(f'op.execute("{tell}")')
    tables(chain, "b")
    before = chain.ids[-1]
    chain.add(f"op.execute('INSERT INTO seen {asked}')")
    await upgraded(chain, empty_database)
    assert await watcher.fetchval("SELECT revision FROM seen") == before
    assert await together(watcher) == [1, 1, 1, 1, 1]


@pytest.mark.sample(3)
@pytest.mark.parametrize("place", range(3))
async def test_a_revision_may_check_all_constraints(
    chain: Chain, empty_database: Database, watcher: asyncpg.Connection, place: int
) -> None:
    """As after rows, before it changes their table; wherever it is in the chain."""
    bodies = ["pass", "pass", "pass"]
    bodies[place] = DEFERRED + "op.execute('SET CONSTRAINTS ALL IMMEDIATE')"
    for body in bodies:
        chain.add(body)
    assert await upgraded(chain, empty_database) == chain.ids
    assert sum(await together(watcher)) == len(bodies)


DEFERRED = """
op.execute("CREATE TABLE a (id int PRIMARY KEY)")
op.execute("CREATE TABLE b (id int REFERENCES a DEFERRABLE INITIALLY DEFERRED)")
"""


@pytest.mark.sample(6)
@pytest.mark.parametrize(
    ("bodies", "kept"),
    [
        ([TABLE, "op.execute('SELECT 1/0')"], ["0001"]),
        ([TABLE, DEFERRED, "op.execute('INSERT INTO b VALUES (1)')"], ["0001", "0002"]),
        ([TABLE, DEFERRED, "op.execute('INSERT INTO b VALUES (1)')", TABLE], ["0001", "0002"]),
        ([TABLE, "op.execute('COMMIT')"], ["0001"]),
        ([TABLE, "raise ValueError('no')", TABLE], ["0001"]),
        (["op.execute('SELECT 1/0')", TABLE], []),
    ],
    ids=["statement", "commit", "commit behind", "ends", "python", "first"],
)
async def test_one_that_fails_leaves_those_before_it(
    chain: Chain,
    launcher: Launcher,
    empty_database: Database,
    watcher: asyncpg.Connection,
    bodies: Sequence[str],
    kept: Sequence[str],
) -> None:
    """As where each has a transaction of its own, and the report says so."""
    for body in bodies:
        chain.add(body)
    result = await launcher.alembic(chain, "upgrade", "head", url=empty_database.url)
    assert result.code != 0
    assert f"  done: {in_order(kept)}\n" in result.err, result.err
    state = await state_of(empty_database)
    assert state.heads == tuple(kept[-1:])
    assert [r.revision for r in state.ledger if r.outcome == "applied"] == [*kept]


LEAVES = {
    "a COMMIT that the driver sends": "COMMIT",
    "one in a string of several": "CREATE TABLE x (); COMMIT; CREATE TABLE y ()",
    "a transaction that is prepared": "PREPARE TRANSACTION 'p'",
}


@pytest.mark.sample(3)
@pytest.mark.parametrize("sql", LEAVES.values(), ids=LEAVES)
async def test_a_commit_of_its_own_does_not_keep_what_is_not_recorded(
    chain: Chain,
    launcher: Launcher,
    empty_database: Database,
    watcher: asyncpg.Connection,
    sql: str,
) -> None:
    """The server refuses it while the rows about the revisions before it are not written."""
    tables(chain, "a", "b")
    chain.add(
        "from sqlalchemy.util import await_only\n"
        f'await_only(op.get_bind().connection.driver_connection.execute("{sql}"))'
    )
    result = await launcher.alembic(chain, "upgrade", "head", url=empty_database.url)
    assert result.code != 0
    heads = (await state_of(empty_database)).heads
    for number, name in enumerate(("a", "b"), 1):
        exists = await watcher.fetchval("SELECT to_regclass($1) IS NOT NULL", name)
        assert exists == (heads >= (f"{number:04}",)), f"{name} at {heads}: {result.err}"


SETTINGS = {
    "a role": ("op.execute('SET ROLE pg_monitor')", "current_user"),
    "a path": ("op.execute('SET search_path = pg_catalog')", "current_setting('search_path')"),
    "for the transaction": ("op.execute('SET LOCAL work_mem = 77')", "current_setting('work_mem')"),
    "by a function": (
        "op.execute(\"SELECT set_config('work_mem', '77', false)\")",
        "current_setting('work_mem')",
    ),
    "by a trigger": (
        "op.execute('''CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "SET work_mem = 77; RETURN NEW; END $$''')\n"
        "op.execute('CREATE TABLE w (id int)')\n"
        "op.execute('CREATE TRIGGER t BEFORE INSERT ON w FOR EACH ROW EXECUTE FUNCTION f()')\n"
        "op.execute('INSERT INTO w VALUES (1)')",
        "current_setting('work_mem')",
    ),
}


@pytest.mark.sample(4)
@pytest.mark.parametrize(("sets", "shown"), SETTINGS.values(), ids=SETTINGS)
async def test_a_setting_does_not_reach_the_revision_behind(
    chain: Chain, empty_database: Database, watcher: asyncpg.Connection, sets: str, shown: str
) -> None:
    """Whatever has set it."""
    tables(chain, "a")
    chain.add(sets)
    chain.add(f'op.execute("CREATE TABLE seen AS SELECT {shown}::text AS value")')
    await upgraded(chain, empty_database)
    async with engine(empty_database.access, "migrate") as made, made.connect() as connection:
        expected = await connection.scalar(text(f"SELECT {shown}::text"))
    assert await watcher.fetchval("SELECT value FROM seen") == expected


@pytest.mark.slow
async def test_it_ends_before_it_has_too_many_locks(
    chain: Chain, empty_database: Database, watcher: asyncpg.Connection
) -> None:
    """A revision cannot ask for fewer, but the next begins without."""
    slots = await watcher.fetchval(
        "SELECT current_setting('max_locks_per_transaction')::int * "
        "current_setting('max_connections')::int"
    )
    body = f"""
    op.execute('''DO $$ BEGIN FOR n IN 1..{slots // 6} LOOP
        EXECUTE format('CREATE TABLE %I ()', '{{name}}_' || n); END LOOP; END $$''')
    """
    for name in "abcd":
        chain.add(body.format(name=name))
        tables(chain, *(f"{name}{number}" for number in range(10)))
    await upgraded(chain, empty_database)
    assert len(await together(watcher)) > 1


@pytest.mark.slow
async def test_large_revisions_behind_small_ones_do_not_take_all_locks(
    chain: Chain, launcher: Launcher, private_server: PrivateServer
) -> None:
    """They are counted by what the revisions send."""
    url = private_server(max_connections="20").url("postgres")
    tables(chain, *(f"a{number}" for number in range(60)))
    for each in range(30):
        chain.add(f"for n in range(20):\n    op.execute(f'CREATE TABLE b{each}_{{n}} (id int)')")
    result = await launcher.alembic(chain, "upgrade", "head", url=url)
    assert result.code == 0, result.err
    watcher = await connect(url, "watcher")
    first, *_ = await together(watcher)
    await watcher.close()
    # A quarter of 64 * 20, with one or two for a table, and those of one more revision.
    assert 60 + (first - 60) * 20 <= 340


@pytest.mark.slow
async def test_in_production_only_a_database_that_is_empty_gets_it(
    chain: Chain, empty_database: Database, watcher: asyncpg.Connection
) -> None:
    """Behind the first commit the rows may be somebody else's."""
    tables(chain, "t", "u")
    chain.add(INDEX)
    tables(chain, "v", "w")
    await upgraded(chain, empty_database, limits=Limits(production=True, lint="off"))
    assert await together(watcher) == [2, 1, 1, 1]


@pytest.mark.slow
async def test_a_second_run_does_not_get_it(
    chain: Chain, empty_database: Database, watcher: asyncpg.Connection
) -> None:
    """The database is not empty any more."""
    tables(chain, "a", "b", "c", "d")
    await upgraded(chain, empty_database, to="0002")
    await upgraded(chain, empty_database)
    assert await together(watcher) == [2, 1, 1]


@pytest.mark.slow
async def test_killed_in_the_middle_it_leaves_nothing(
    chain: Chain, launcher: Launcher, empty_database: Database, watcher: asyncpg.Connection
) -> None:
    """And the next run begins again."""
    tables(chain, "a", "b")
    chain.add("op.execute('SELECT pg_sleep(60)')")
    run = await launcher.start(chain, "upgrade", "head", url=empty_database.url)
    await wait_until(
        watcher,
        "SELECT count(*) = 1 FROM pg_stat_activity WHERE query LIKE '%pg_sleep(60)%' "
        "AND datname = current_database() AND pid <> pg_backend_pid()",
    )
    run.signal(signal.SIGKILL)
    assert (await run.end()).code == -signal.SIGKILL
    await gone(empty_database)
    left = await state_of(empty_database)
    assert (left.heads, left.ledger) == ((), ())
    assert await watcher.fetchval("SELECT to_regclass('a') IS NULL")
    path = chain.path("0003")
    path.write_text(path.read_text("utf-8").replace("(60)", "(0)"), "utf-8")
    chain.lock()
    assert await upgraded(chain, empty_database) == chain.ids


def slow(seconds: float) -> str:
    """A revision whose last statement is put off, and takes so long."""
    return f"""
op.execute('CREATE TABLE slow (id int)')
op.execute('INSERT INTO slow VALUES (1)')
op.execute('CREATE FUNCTION wait(int) RETURNS int IMMUTABLE LANGUAGE plpgsql '
           "AS 'BEGIN PERFORM pg_sleep({seconds}); RETURN $1; END'")
op.execute('CREATE INDEX ON slow (wait(id))')
"""


FAILS = {
    "first": "op.execute('ALTER TABLE missing ADD COLUMN a int')",
    "behind others": "op.execute('CREATE TABLE x (id int)')\n"
    "op.execute('ALTER TABLE missing ADD COLUMN a int')\n"
    "op.execute('CREATE TABLE y (id int)')",
    "before an error of the program": "op.execute('ALTER TABLE missing ADD COLUMN a int')\n"
    "raise ValueError",
    "caught": "import contextlib\nfrom sqlalchemy.exc import DBAPIError\n"
    "op.execute('ALTER TABLE missing ADD COLUMN a int')\n"
    "with contextlib.suppress(DBAPIError):\n    op.execute('SELECT 1')",
}


@pytest.mark.sample(4)
@pytest.mark.parametrize("place", [1, 3, 26, 40])
@pytest.mark.parametrize("fails", FAILS.values(), ids=FAILS)
async def test_ddl_that_fails_is_named(
    chain: Chain,
    launcher: Launcher,
    empty_database: Database,
    watcher: asyncpg.Connection,
    place: int,
    fails: str,
) -> None:
    """With its revision and its line, however many are sent behind it."""
    tables(chain, *(f"a{number}" for number in range(1, place)))
    chain.add(fails)
    tables(chain, *(f"b{number}" for number in range(40)))
    result = await launcher.alembic(chain, "upgrade", "head", url=empty_database.url)
    failed, before = chain.ids[place - 1], chain.ids[: place - 1]
    line = chain.path(failed).read_text("utf-8").partition("missing")[0].count("\n") + 1
    assert result.code == 4, result.err
    assert f'{chain.path(failed).name}:{line}: relation "missing" does not exist' in result.err
    assert f"  done: {in_order(before)}\n" in result.err
    assert (await state_of(empty_database)).heads == tuple(before[-1:])


@pytest.mark.slow
async def test_ddl_that_takes_too_long_is_named(
    chain: Chain, launcher: Launcher, empty_database: Database
) -> None:
    """Each statement has the time of statement_timeout, and the one that exceeds it a line."""
    chain.add(slow(0.6))
    chain.add("for n in range(3):\n    op.execute(f'CREATE INDEX i_{n} ON slow (wait(id))')")
    chain.add(slow(1.5).replace("slow", "slower").replace("wait", "wait_long"))
    tables(chain, "a")
    env = {"SUREFOOT_TEST_STATEMENT_TIMEOUT_S": "1"}
    result = await launcher.alembic(chain, "upgrade", "head", url=empty_database.url, env=env)
    assert result.code == 4, result.err
    line = chain.path("0003").read_text("utf-8").partition("CREATE INDEX")[0].count("\n") + 1
    assert f"{chain.path('0003').name}:{line}: canceling statement due to" in result.err


@pytest.mark.slow
async def test_a_text_that_cannot_be_sent_is_no_lost_connection(
    chain: Chain, launcher: Launcher, empty_database: Database
) -> None:
    """The driver ends the connection for it; the place of the text is named."""
    tables(chain, "a")
    chain.add(
        "import os\nname = os.fsdecode(b'\\xff')\nop.execute(f\"COMMENT ON TABLE a IS '{name}'\")"
    )
    tables(chain, "b")
    result = await launcher.alembic(chain, "upgrade", "head", url=empty_database.url)
    assert result.code == 4, result.err
    assert "0002 failed: alembic/versions/0002_change.py:14: UnicodeEncodeError" in result.err
    assert "  done: nothing\n" in result.err
    assert (await state_of(empty_database)).heads == ()


# In letters that every encoding has.
GERMAN = {
    b"canceling statement due to statement timeout": b"storniere Anfrage wegen Zeitablauf",
    b"canceling statement due to user request": b"storniere Anfrage auf Wunsch",
}


@pytest.mark.slow
@pytest.mark.parametrize("by", ["statement timeout", "user request"])
async def test_a_server_of_another_language_says_why_ddl_was_cancelled(
    chain: Chain,
    launcher: Launcher,
    empty_database: Database,
    watcher: asyncpg.Connection,
    by: str,
) -> None:
    """Both have the same SQLSTATE; the statement that takes too long is named."""
    chain.add(slow(0.6 if by == "statement timeout" else 60))
    tables(chain, "a", "b")
    async with Network(empty_database.url).up() as network:
        network.replaced = {each: own.ljust(len(each)) for each, own in GERMAN.items()}
        env = {"SUREFOOT_TEST_STATEMENT_TIMEOUT_S": "0.4" if by == "statement timeout" else "0"}
        run = await launcher.start(chain, "upgrade", "head", url=network.url, env=env)
        if by == "user request":
            await wait_until(watcher, f"SELECT count(*) = 1 {SLEEPS}")
            await watcher.execute(f"SELECT pg_cancel_backend(pid) {SLEEPS}")
        result = await run.end()
    assert result.code == 4, result.err
    assert "storniere Anfrage" in result.err
    assert ("0001_change.py:" in result.err) is (by == "statement timeout"), result.err
    assert ("in a statement of 0001 to 0003" in result.err) is (by == "user request"), result.err
    assert (await state_of(empty_database)).heads == ()


STREAMED = """
bind, streamed = op.get_bind(), {"stream_results": True}
bind.execute(sa.text("CREATE TABLE t (id int)"), execution_options=streamed)
bind.execute(sa.text("INSERT INTO t VALUES (1)"), execution_options=streamed)
bind.execution_options(**streamed)
op.execute("ALTER TABLE t ADD n int")
op.execute("UPDATE t SET n = 2")
assert bind.execute(sa.text("SELECT id FROM t")).all() == [(1,)]
"""


@pytest.mark.parametrize("is_empty", [True, pytest.param(False, marks=pytest.mark.slow)])
async def test_a_revision_may_stream_results(
    chain: Chain, empty_database: Database, watcher: asyncpg.Connection, is_empty: bool
) -> None:
    """Of statements that have none, too, and for the whole connection."""
    if not is_empty:
        await occupy(empty_database)
    tables(chain, "a")
    chain.add(STREAMED)
    tables(chain, "b")
    assert await upgraded(chain, empty_database) == chain.ids
    assert await watcher.fetchval("SELECT (id, n)::text FROM t") == "(1,2)"
    assert await together(watcher) == [3] if is_empty else [1, 1, 1]


@pytest.mark.slow
async def test_a_session_that_is_lost_is_not_replaced(
    chain: Chain, launcher: Launcher, empty_database: Database
) -> None:
    """Another one would not hold the mutex; the program fails without asking the server."""
    tables(chain, "a", "b")
    chain.add(
        "import subprocess, sys, time\n"
        "pid = op.get_bind().connection.driver_connection.get_server_pid()\n"
        "code = 'import asyncio, asyncpg, os, sys\\nasync def end():\\n'\n"
        "code += '  made = await asyncpg.connect(os.environ[\"DATABASE_URL\"])\\n'\n"
        "code += '  await made.execute(f\"SELECT pg_terminate_backend({sys.argv[1]})\")\\n'\n"
        "code += 'asyncio.run(end())'\n"
        "subprocess.run([sys.executable, '-c', code, str(pid)], check=True)\n"
        "raise ValueError('of the program')"
    )
    tables(chain, "c")
    result = await launcher.alembic(chain, "upgrade", "head", url=empty_database.url)
    assert result.code == 4, result.err
    assert "0003 failed" in result.err
    assert "of the program" in result.err
    assert "  done: nothing\n" in result.err
    assert (await state_of(empty_database)).heads == ()


@pytest.mark.slow
async def test_a_savepoint_may_hold_ddl_that_fails(
    chain: Chain, empty_database: Database, watcher: asyncpg.Connection
) -> None:
    """The revision sees the error where it happens, and what it goes on with is kept."""
    tables(chain, "a")
    chain.add(
        "from sqlalchemy.exc import DBAPIError\n"
        "for name in ('a', 'b', 'a', 'c'):\n"
        "    inner = op.get_bind().begin_nested()\n"
        "    try:\n"
        "        op.execute(f'CREATE TABLE {name} (id int)')\n"
        "    except DBAPIError:\n"
        "        inner.rollback()\n"
        "    else:\n"
        "        inner.commit()"
    )
    tables(chain, "d")
    assert await upgraded(chain, empty_database) == chain.ids
    found = await watcher.fetchval(
        "SELECT string_agg(relname, '' ORDER BY relname) FROM pg_class WHERE relname ~ '^.$'"
    )
    assert found == "abcd"


@pytest.mark.slow
async def test_statements_of_every_kind_keep_their_order(
    chain: Chain, empty_database: Database, watcher: asyncpg.Connection
) -> None:
    """DDL beside rows, queries, COPY and the driver itself."""
    tables(chain, "a")
    chain.add(
        "from sqlalchemy.util import await_only\n"
        "driver = op.get_bind().connection.driver_connection\n"
        "for number in range(60):\n"
        "    op.execute(f'ALTER TABLE a ADD COLUMN c{number} int')\n"
        "    if number % 7 == 1:\n"
        "        op.execute(f'INSERT INTO a (c{number}) VALUES ({number})')\n"
        "    if number % 7 == 2:\n"
        "        found = op.get_bind().exec_driver_sql(f'SELECT count(c{number - 1}) FROM a')\n"
        "        assert found.scalar() == 1\n"
        "    if number % 7 == 3:\n"
        "        await_only(driver.execute(f'ALTER TABLE a RENAME c{number} TO d{number}'))\n"
        "    if number % 7 == 4:\n"
        "        rows = [(number,)]\n"
        "        name = f'c{number}'\n"
        "        await_only(driver.copy_records_to_table('a', records=rows, columns=[name]))\n"
        "    if number % 7 == 5:\n"
        "        op.bulk_insert(sa.table('a', sa.column(f'c{number}')), [{f'c{number}': 5}])"
    )
    tables(chain, "b")
    await upgraded(chain, empty_database)
    count = "SELECT count(*) FROM pg_attribute WHERE attrelid = 'a'::regclass AND attname ~ $1"
    assert [await watcher.fetchval(count, f"^{kind}[0-9]") for kind in "cd"] == [51, 9]
    assert await watcher.fetchval("SELECT count(*) FROM a") == 9 + 8 + 8


AUDIT = (
    "CREATE FUNCTION note() RETURNS event_trigger LANGUAGE plpgsql AS "
    "$$ BEGIN RAISE WARNING 'ran %', current_query(); END $$",
    "CREATE EVENT TRIGGER audit ON ddl_command_end EXECUTE FUNCTION note()",
)


@pytest.mark.slow
@pytest.mark.parametrize("by", ["somebody", "a revision"])
async def test_an_event_trigger_sees_each_statement(
    chain: Chain, empty_database: Database, watcher: asyncpg.Connection, by: str
) -> None:
    """Its function may write the text of the message into a table of its own."""
    tables(chain, "a")
    if by == "somebody":
        await watcher.execute(";".join(AUDIT))
    else:
        chain.add("\n".join(f"op.execute({each!r})" for each in AUDIT))
    chain.add(
        "told = []\n"
        "driver = op.get_bind().connection.driver_connection\n"
        "driver.add_log_listener(lambda _, message: told.append(message.message))\n"
        "for name in 'bcd':\n"
        "    op.execute(f'CREATE TABLE {name} (id int)')\n"
        "op.execute('SELECT 1')\n"
        "assert told == [f'ran CREATE TABLE {name} (id int)' for name in 'bcd'], told"
    )
    await upgraded(chain, empty_database)
    assert await together(watcher) == [len(chain.ids)]


async def test_a_listener_hears_of_each_error_with_its_statement(
    chain: Chain, empty_database: Database
) -> None:
    """One of the project's engine, once for each statement that has failed."""
    tables(chain, "a", "b")
    chain.add("op.execute('ALTER TABLE missing ADD COLUMN a int')")
    tables(chain, "c")
    heard: list[str | None] = []
    async with engine(empty_database.access, "migrate") as made:
        event.listen(
            made.sync_engine, "handle_error", lambda context: heard.append(context.statement)
        )
        with pytest.raises(UpgradeFailed, match="0003_change"):
            await upgrade(Target.of(made, chain.ini, Limits()), "head")
    # As the last of its transaction, and as one of its own.
    assert heard == ["ALTER TABLE missing ADD COLUMN a int"] * 2


@pytest.mark.slow
async def test_the_time_of_ddl_is_that_of_its_revision(
    chain: Chain, empty_database: Database, watcher: asyncpg.Connection
) -> None:
    """The ledger has it, though the revisions behind it are sent before its answer."""
    tables(chain, "a")
    chain.add(slow(1))
    tables(chain, *(f"b{number}" for number in range(60)))
    await upgraded(chain, empty_database)
    rows = await watcher.fetch(
        "SELECT revision, details, extract(epoch FROM finished_at - started_at) AS took "
        "FROM alembic_version_ledger WHERE outcome = 'applied' ORDER BY id"
    )
    found = {row["revision"]: row for row in rows}
    second = found[chain.ids[1]]
    assert second["took"] >= 1
    assert json.loads(second["details"])["sent"][-1]["duration_s"] >= 1
    assert found[chain.ids[0]]["took"] < 1
    assert found[chain.ids[-1]]["took"] < 1


@pytest.mark.slow
@pytest.mark.parametrize("behind", [0, 3, 20])
async def test_ddl_that_takes_long_is_told(
    chain: Chain, empty_database: Database, behind: int
) -> None:
    """Also where the run itself waits for its answer, to count locks or to end the transaction."""
    chain.add(slow(1))
    tables(chain, *(f"b{number}" for number in range(behind)))
    told: list[Event] = []
    async with engine(empty_database.access, "migrate") as made:
        await upgrade(Target.of(made, chain.ini, Limits(warn_after_s=0.3)), listen=told.append)
    running = [each for each in told if isinstance(each, StatementRunning)]
    assert running
    assert running[0].progress is not None


@pytest.mark.slow
async def test_a_slow_program_puts_off_nothing(
    chain: Chain, launcher: Launcher, empty_database: Database, watcher: asyncpg.Connection
) -> None:
    """The server is idle for as long as one revision is slow, and each has its own time."""
    for number in range(6):
        chain.add(f"import time\ntime.sleep(0.4)\nop.execute('CREATE TABLE t{number} (id int)')")
    tables(chain, "a")
    env = {"SUREFOOT_TEST_IDLE_IN_TRANSACTION_TIMEOUT_S": "1"}
    result = await launcher.alembic(chain, "upgrade", "head", url=empty_database.url, env=env)
    assert result.code == 0, result.err
    rows = await watcher.fetch(
        "SELECT details, extract(epoch FROM finished_at - started_at) AS took "
        "FROM alembic_version_ledger WHERE outcome = 'applied' ORDER BY id"
    )
    assert [0.4 <= row["took"] < 0.8 for row in rows] == [True] * 6 + [False]
    assert all(json.loads(row["details"])["sent"][0]["duration_s"] < 0.4 for row in rows)


SLEEPS = (
    "FROM pg_stat_activity WHERE query LIKE '%wait(id)%' AND wait_event = 'PgSleep' "
    "AND datname = current_database() AND pid <> pg_backend_pid()"
)


@pytest.mark.slow
async def test_a_row_about_a_failure_has_the_statements_that_have_run(
    chain: Chain, launcher: Launcher, empty_database: Database, watcher: asyncpg.Connection
) -> None:
    """One that was put off, and then stopped, is none of them."""
    chain.add(slow(60) + "op.execute('SELECT 1')")
    run = await launcher.start(chain, "upgrade", "head", url=empty_database.url)
    await wait_until(watcher, f"SELECT count(*) = 1 {SLEEPS}")
    await watcher.execute(f"SELECT pg_cancel_backend(pid) {SLEEPS}")
    assert (await run.end()).code == 4
    ((count, details),) = await watcher.fetch(
        "SELECT statements, details FROM alembic_version_ledger WHERE outcome = 'failed'"
    )
    sent = json.loads(details)["sent"]
    assert count == len(sent) == 3
    assert all("duration_s" in each for each in sent)


@pytest.mark.sample(3)
@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM, "terminate", "cancel"])
async def test_stopped_while_ddl_is_under_way(
    chain: Chain,
    launcher: Launcher,
    empty_database: Database,
    watcher: asyncpg.Connection,
    stop: signal.Signals | str,
) -> None:
    """Nothing is kept, and the next run begins again."""
    tables(chain, "a")
    chain.add(slow(60))
    tables(chain, *(f"b{number}" for number in range(60)))
    run = await launcher.start(chain, "upgrade", "head", url=empty_database.url)
    await wait_until(watcher, f"SELECT count(*) = 1 {SLEEPS}")
    if isinstance(stop, signal.Signals):
        run.signal(stop)
    else:
        await watcher.execute(f"SELECT pg_{stop}_backend(pid) {SLEEPS}")
    result = await run.end()
    expected = {signal.SIGINT: 130, signal.SIGTERM: 143, "terminate": 75, "cancel": 4}
    assert result.code == expected[stop], result.err
    words = "in a statement of {}\n" if stop == "cancel" else "and statements of {} had no answer\n"
    told = re.search(f", {words.format('0002 to 00[0-9]{2}')}", result.err)
    assert bool(told) is isinstance(stop, str), result.err
    assert "  done: nothing\n" in result.err or isinstance(stop, signal.Signals), result.err
    await gone(empty_database)
    left = await state_of(empty_database)
    assert left.heads == ()
    assert await watcher.fetchval("SELECT to_regclass('a') IS NULL")
    path = chain.path(chain.ids[1])
    path.write_text(path.read_text("utf-8").replace("(60)", "(0)"), "utf-8")
    chain.lock()
    assert await upgraded(chain, empty_database) == chain.ids
