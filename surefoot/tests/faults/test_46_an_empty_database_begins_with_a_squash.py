"""An empty database begins with squashed.sql, and has then what the revisions give."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from harness.chains import long
from harness.commands import psql, snapshot_of
from harness.databases import Database, Databases, connect, engine, execute, value
from harness.runs import Chain, Launcher, Run
from harness.server import PG_MAJOR, Server, temporary_folder
from harness.states import State, state_of
from surefoot.connect.database import Database as Access
from surefoot.connect.libpq import run_program
from surefoot.connect.limits import Limits
from surefoot.embedded import binaries, majors_at_hand
from surefoot.errors import DatabaseUnreachable, NotSquashed, ServerBinariesMissing
from surefoot.project import Project
from surefoot.run.commands import upgrade
from surefoot.run.events import Event, Squashed
from surefoot.squashing import dump
from surefoot.squashing.make import make
from surefoot.target import Target

FUNCTION = """
CREATE FUNCTION doubled(n int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $f$
BEGIN
    -- Name: not_an_entry; Type: SCHEMA; Schema: public; Owner: -
    RETURN n * 2; /* it''s; ; */
END $f$
"""
# Of everything that a chain may make, one revision each.
KINDS = {
    "another schema": "CREATE SCHEMA IF NOT EXISTS beside; CREATE TABLE beside.t (id int)",
    "extension": "CREATE EXTENSION citext; CREATE TABLE cased (name citext PRIMARY KEY)",
    "enum": "CREATE TYPE mood AS ENUM ('good', 'bad')",
    "domain": "CREATE DOMAIN even AS int CHECK (VALUE % 2 = 0)",
    "composite type": "CREATE TYPE pair AS (a int, b text)",
    "range type": "CREATE TYPE span AS RANGE (subtype = int)",
    "function": FUNCTION,
    "table": """
        CREATE TABLE item (
            id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL DEFAULT 'none',
            mood mood, twice int GENERATED ALWAYS AS (doubled(3)) STORED, gone int, more jsonb,
            CONSTRAINT named CHECK (name <> '') NOT VALID
        );
        ALTER TABLE item DROP COLUMN gone, ALTER COLUMN name SET STATISTICS 50;
        ALTER TABLE item SET (fillfactor = 70)
    """,
    "one of several texts": """
        CREATE TABLE chosen (
            name varchar(9), CONSTRAINT few CHECK (name IN ('a', 'b')),
            CONSTRAINT either CHECK (CASE WHEN name IS NULL THEN false ELSE name IN ('a', 'b') END)
        );
        CREATE INDEX chosen_few ON chosen (name) WHERE name IN ('a', 'b');
        CREATE VIEW few_chosen AS SELECT name FROM chosen WHERE name IN ('a', 'it''s');
        INSERT INTO chosen VALUES ('a')
    """,
    "trigger": """
        CREATE TABLE told (at int);
        CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS
            'BEGIN INSERT INTO told VALUES (1); RETURN NEW; END';
        CREATE TRIGGER tells AFTER INSERT ON item FOR EACH ROW EXECUTE FUNCTION tell()
    """,
    "rows": r"""
        INSERT INTO item (name, mood, more) VALUES
            ('it''s; \n $$', 'good', '{"a": [1, null]}'), (E'two\nlines', NULL, NULL);
        INSERT INTO item (name) SELECT 'é' || n FROM generate_series(1, 600) n;
        UPDATE item SET name = 'first' WHERE id = 1;
        DELETE FROM item WHERE id = 2;
        INSERT INTO beside.t SELECT generate_series(1, 3)
    """,
    "sequence": "CREATE SEQUENCE numbers START 5 INCREMENT 3; SELECT nextval('numbers')",
    "partitions": """
        CREATE TABLE event (id int, at timestamptz) PARTITION BY RANGE (id);
        CREATE TABLE event_1 PARTITION OF event FOR VALUES FROM (1) TO (10);
        CREATE TABLE event_rest PARTITION OF event DEFAULT;
        INSERT INTO event VALUES (1, '2026-01-01 00:00+00'), (99, NULL);
        CREATE INDEX event_at ON event (at)
    """,
    "views": """
        CREATE VIEW names AS SELECT id, upper(name) AS name FROM item;
        CREATE MATERIALIZED VIEW counted AS SELECT count(*) AS n FROM item;
        CREATE MATERIALIZED VIEW unfilled AS SELECT 1 AS n WITH NO DATA;
        CREATE RULE none AS ON DELETE TO names DO INSTEAD NOTHING
    """,
    "keys": """
        CREATE TABLE child (item int REFERENCES item ON DELETE CASCADE DEFERRABLE);
        ALTER TABLE item ADD CONSTRAINT one_name EXCLUDE USING btree (id WITH =);
        CREATE STATISTICS both_of ON id, name FROM item
    """,
    "comments": "COMMENT ON TABLE item IS 'An; ''item'''; COMMENT ON COLUMN item.name IS 'It'",
    "privileges": """
        GRANT SELECT ON item TO PUBLIC; GRANT UPDATE (name) ON item TO PUBLIC;
        REVOKE EXECUTE ON FUNCTION doubled(int) FROM PUBLIC;
        ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO PUBLIC;
        REVOKE DELETE ON item FROM CURRENT_USER;
        CREATE TABLE later (id int)
    """,
    "large object": """
        CREATE TABLE kept (o oid); INSERT INTO kept SELECT lo_from_bytea(4242, 'two')
    """,
    "row security": """
        ALTER TABLE item ENABLE ROW LEVEL SECURITY;
        CREATE POLICY own ON item FOR SELECT TO PUBLIC USING (id > 0)
    """,
}
OF_THE_ROLE = """
CREATE TABLE t (id int);
ALTER TABLE t ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON t FOR SELECT TO CURRENT_USER USING (id > 0);
CREATE POLICY all_of_them ON t TO CURRENT_USER, pg_monitor WITH CHECK (CURRENT_USER <> 'tester');
GRANT SELECT ON t TO pg_monitor;
REVOKE DELETE ON t FROM CURRENT_USER;
CREATE FOREIGN DATA WRAPPER nowhere;
CREATE SERVER far FOREIGN DATA WRAPPER nowhere;
CREATE USER MAPPING FOR CURRENT_USER SERVER far
"""
# A check that waits for a lock, which is in the database of a test.
WAITS = """
CREATE FUNCTION waits(n int) RETURNS bool LANGUAGE plpgsql AS
    'BEGIN PERFORM pg_advisory_xact_lock_shared(4242); RETURN true; END'
"""
_FURTHER = """
SELECT nextval('numbers'), nextval('item_id_seq'), (SELECT count(*) FROM beside.t),
       (SELECT array_agg(defaclacl::text) FROM pg_default_acl), (SELECT sum(n) FROM counted)
"""
_VERSION_TABLE = """
SELECT array_agg(concat_ws(' ', attname, format_type(atttypid, atttypmod), attnotnull)),
       (SELECT array_agg(conname || pg_get_constraintdef(oid) ORDER BY conname) FROM pg_constraint
        WHERE conrelid = 'alembic_version'::regclass)
FROM pg_attribute WHERE attrelid = 'alembic_version'::regclass AND attnum > 0
"""


def executed(sql: str) -> str:
    """The body of a revision that executes SQL."""
    return f"op.execute({sql!r})"


async def squash(chain: Chain, launcher: Launcher, database: Database, to: str = "head") -> str:
    """Write squashed.sql, beside that database; the narration."""
    result = await launcher.surefoot(chain, "squash", to, url=database.url)
    assert result.code == 0, result.err
    assert squashed(chain)
    return result.err


def squashed(chain: Chain) -> str:
    """The content of squashed.sql; empty without one."""
    path = chain.lock_path.with_name("squashed.sql")
    return path.read_text("utf-8") if path.exists() else ""


async def upgraded(
    chain: Chain, launcher: Launcher, databases: Databases, to: str = "head"
) -> tuple[Database, str]:
    """A new database that was upgraded, and the narration."""
    made = await databases.empty()
    result = await launcher.alembic(chain, "upgrade", to, url=made.url)
    assert result.code == 0, result.err
    return made, result.err


def unloaded(chain: Chain, url: str) -> subprocess.CompletedProcess[str]:
    """`surefoot upgrade` in a process that has loaded nothing before, and says what it loads."""
    code = (
        "import sys, surefoot.cli\ntry:\n    surefoot.cli.main()\n"
        "finally:\n    print({'sqlalchemy', 'alembic'} & {*sys.modules})"
    )
    return subprocess.run(
        [sys.executable, "-c", code, "upgrade"],
        cwd=chain.folder,
        env={**os.environ, "DATABASE_URL": url, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )


def told(state: State) -> list[tuple[str, str, str, str]]:
    """The ledger's row of each revision in force."""
    return [
        (row.revision, row.direction, row.outcome, row.checksum)
        for row in state.ledger
        if row.outcome == "applied"
    ]


@pytest.fixture
def small(chain: Chain) -> Chain:
    """Three revisions with rows."""
    chain.add("op.execute('CREATE TABLE t (id int PRIMARY KEY)')", "op.execute('DROP TABLE t')")
    chain.add("op.execute('INSERT INTO t VALUES (1), (2)')", "op.execute('TRUNCATE t')")
    chain.add("op.add_column('t', sa.Column('n', sa.Integer))", "op.drop_column('t', 'n')")
    return chain


@pytest.mark.slow
async def test_every_kind_of_object_and_row(
    chain: Chain, launcher: Launcher, databases: Databases
) -> None:
    """Schema, rows, owners, privileges and the positions of sequences are those of the chain."""
    for sql in KINDS.values():
        chain.add(executed(sql))
    by_revisions, _ = await upgraded(chain, launcher, databases)
    await squash(chain, launcher, by_revisions)
    by_squash, said = await upgraded(chain, launcher, databases)
    assert f"{len(KINDS)} revisions as one, base to {chain.ids[-1]}" in said
    expected, found = await state_of(by_revisions), await state_of(by_squash)
    assert found.differs(expected) == ""
    assert told(found) == told(expected)
    assert await snapshot_of(by_squash, privileges=True) == await snapshot_of(
        by_revisions, privileges=True
    )
    rows = []
    for each in (by_revisions, by_squash):
        connection = await connect(each.url)
        asked = [await connection.fetchrow(each) for each in (_FURTHER, _VERSION_TABLE)]
        rows.append([tuple(each or ()) for each in asked])
        await connection.close()
    assert rows[0] == rows[1]


@pytest.mark.slow
async def test_another_role_migrates(
    chain: Chain, launcher: Launcher, databases: Databases
) -> None:
    """Objects, privileges and policies of the role of the dump pass to the role that migrates."""
    chain.add(executed(OF_THE_ROLE))
    made = await databases.empty()
    await squash(chain, launcher, made)
    role = f"{made.name}_migrates"
    await execute(made.url, f"CREATE ROLE {role} LOGIN SUPERUSER")
    catalogs = []
    for used in (True, False):
        if not used:
            chain.lock_path.with_name("squashed.sql").unlink()
        other = await databases.empty()
        url = other.url.replace("://tester@", f"://{role}@")
        result = await launcher.alembic(chain, "upgrade", "head", url=url)
        assert (result.code, "SQUASH" in result.err) == (0, used), result.err
        mapping = await value(other.url, "SELECT usename FROM pg_user_mappings")
        catalogs.append((mapping, await snapshot_of(other, privileges=True)))
        await databases.drop(other)
    await execute(made.url, f"DROP ROLE {role}")
    assert catalogs[0] == catalogs[1]
    assert catalogs[0][0] == role


@pytest.mark.slow
async def test_steps_outside_a_transaction(
    chain: Chain, launcher: Launcher, databases: Databases
) -> None:
    """A dump has the index that was built concurrently; revisions behind it run as ever."""
    long(chain)
    middle = chain.ids[4]
    by_revisions, _ = await upgraded(chain, launcher, databases)
    await squash(chain, launcher, by_revisions, middle)
    by_squash, said = await upgraded(chain, launcher, databases)
    total = len(chain.ids)
    assert f"5 revisions as one, base to {middle}" in said
    assert f": {total - 5} revisions, {middle} to {chain.ids[-1]}" in said
    assert f"6 of {total}  {chain.ids[5]}" in said
    assert f"OK  {total} applied" in said
    assert (await state_of(by_squash)).differs(await state_of(by_revisions)) == ""


@pytest.mark.slow
async def test_the_ledger_says_so(small: Chain, launcher: Launcher, databases: Databases) -> None:
    """Its rows are those of one transaction, and verify, drift and the lock agree with it."""
    await squash(small, launcher, await databases.empty())
    made, _ = await upgraded(small, launcher, databases)
    rows = [row for row in (await state_of(made)).ledger if row.outcome == "applied"]
    note = "by squashed.sql, which stands for 3 revisions up to 0003"
    assert [(row.revision, row.error, row.statements) for row in rows] == [
        (each, note, 0) for each in small.ids
    ]
    assert len({row.started_at for row in rows}) == 1
    shown = await launcher.surefoot(small, "ledger", url=made.url)
    assert f"note: {note}" in shown.out
    verified = await launcher.surefoot(small, "verify", url=made.url)
    assert "revisions.lock is up to date, squashed.sql stands for 3 of them" in verified.out
    # The models are those of the sample.
    assert "1 of 4 checks failed" in verified.out, verified.out
    assert "[database-drifted] 12 differences of the models from 0003" in verified.out
    locked = await launcher.surefoot(small, "lock", url=made.url)
    assert (locked.code, "squash-" in locked.err) == (0, False), locked.err
    checked = await launcher.surefoot(small, "lock", "--check", url=made.url)
    assert (checked.code, "squashed.sql stands for 3 of them" in checked.err) == (0, True)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("encoding", "kept"), [("UTF8", "for 日本"), ("LATIN1", "for \\u65e5\\u672c")]
)
async def test_the_ledger_keeps_the_reason(
    small: Chain,
    launcher: Launcher,
    server: Server,
    databases: Databases,
    encoding: str,
    kept: str,
) -> None:
    """In the row of each revision, as far as the encoding of the database has its characters."""
    made = await databases.empty()
    await squash(small, launcher, made)
    name = f"{made.name}_{encoding.lower()}"
    psql(made, f"CREATE DATABASE {name} TEMPLATE template0 ENCODING '{encoding}' LOCALE 'C'")
    url, given = server.url_of(name), ("--execute", "--reason", "for 日本")
    try:
        result = await launcher.surefoot(small, "upgrade", *given, url=url)
        assert (result.code, "SQUASH" in result.err) == (0, True), result.err
        reasons = "SELECT array_agg(reason) FROM alembic_version_ledger WHERE outcome = 'applied'"
        assert await value(url, reasons) == [kept] * 3
    finally:
        psql(made, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("limits", "options", "count", "expected"),
    [
        # Behind the first commit the rows may be somebody else's.
        (Limits(production=True, lint="off"), {}, 2, [2, 1, 1]),
        (Limits(), {"squash": False}, 0, [4]),
        (Limits(), {"together": False}, 0, [1, 1, 1, 1]),
    ],
    ids=["production", "no squash", "not together"],
)
async def test_what_commits_together(
    chain: Chain,
    launcher: Launcher,
    databases: Databases,
    limits: Limits,
    options: dict[str, Any],
    count: int,
    expected: list[int],
) -> None:
    """The revisions of the squash; those behind it are as behind any first commit."""
    for name in "abcd":
        chain.add(executed(f"CREATE TABLE {name} (id int)"))
    await squash(chain, launcher, await databases.empty(), "0002")
    made = await databases.empty()
    told: list[Event] = []
    async with engine(made.access, "migrate") as opened:
        target = Target.of(opened, chain.ini, limits)
        await upgrade(target, "head", listen=told.append, **options)
    assert [each.count for each in told if isinstance(each, Squashed)] == [count] * (count > 0)
    rows = [row for row in (await state_of(made)).ledger if row.outcome == "applied"]
    transactions = Counter((row.actor or {}).get("transaction", row.id) for row in rows)
    assert [*transactions.values()] == expected


@pytest.mark.slow
async def test_down_and_up_again(small: Chain, launcher: Launcher, databases: Databases) -> None:
    """A downgrade runs the files; an empty database begins with the squash again."""
    await squash(small, launcher, await databases.empty(), "0002")
    made, first = await upgraded(small, launcher, databases)
    at_head = await state_of(made)
    down = await launcher.alembic(small, "downgrade", "0001", url=made.url)
    assert (down.code, "2 reverted" in down.err) == (0, True), down.err
    up = await launcher.alembic(small, "upgrade", "head", url=made.url)
    assert "SQUASH" in first
    assert "SQUASH" not in up.err
    down = await launcher.alembic(small, "downgrade", "base", url=made.url)
    assert down.code == 0, down.err
    up = await launcher.alembic(small, "upgrade", "head", url=made.url)
    assert (up.code, "2 revisions as one" in up.err) == (0, True), up.err
    assert (await state_of(made)).differs(at_head) == ""


@pytest.mark.slow
async def test_who_does_not_begin_with_it(
    small: Chain, launcher: Launcher, databases: Databases
) -> None:
    """A database that is behind, a goal before it, a relative one, `--sql`, and other objects."""
    await squash(small, launcher, await databases.empty(), "0002")
    made, said = await upgraded(small, launcher, databases, "0001")
    assert "SQUASH" not in said
    behind = await launcher.alembic(small, "upgrade", "head", url=made.url)
    assert (behind.code, "SQUASH" in behind.err) == (0, False), behind.err
    _, said = await upgraded(small, launcher, databases, "+2")
    assert "SQUASH" not in said
    offline = await launcher.alembic(small, "upgrade", "head", "--sql", url=made.url)
    assert "INSERT INTO t VALUES (1), (2)" in offline.out
    inhabited = await databases.empty()
    psql(inhabited, "CREATE FUNCTION theirs() RETURNS int LANGUAGE sql AS 'SELECT 1'")
    result = await launcher.alembic(small, "upgrade", "head", url=inhabited.url)
    assert (result.code, "SQUASH" in result.err) == (0, False), result.err


@pytest.mark.slow
async def test_another_schema_for_new_objects(
    small: Chain, launcher: Launcher, databases: Databases
) -> None:
    """The dump names its schema, so it would not follow the search path as the revisions do."""
    await squash(small, launcher, await databases.empty())
    made = await databases.empty()
    psql(made, f"CREATE SCHEMA mine; ALTER DATABASE {made.name} SET search_path = mine")
    result = await launcher.alembic(small, "upgrade", "head", url=made.url)
    assert result.code == 0, result.err
    assert "squashed.sql is not used: new objects get the schema mine" in result.err
    psql(made, "SELECT n FROM mine.t")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("revision", "there"),
    [
        (
            "CREATE EXTENSION IF NOT EXISTS pg_trgm; CREATE TABLE t (n text); "
            "CREATE INDEX ON t USING gin (n gin_trgm_ops)",
            "CREATE SCHEMA extensions; CREATE EXTENSION pg_trgm SCHEMA extensions; "
            "ALTER DATABASE {} SET search_path = public, extensions",
        ),
        (
            'CREATE COLLATION IF NOT EXISTS plain FROM "C"; CREATE TABLE t (n text COLLATE plain)',
            'CREATE COLLATION plain FROM "C"',
        ),
    ],
)
async def test_what_a_database_has_already(
    chain: Chain, launcher: Launcher, databases: Databases, revision: str, there: str
) -> None:
    """In another schema, or by the same name: the revisions are content with it."""
    for each in revision.split("; "):
        chain.add(executed(each))
    await squash(chain, launcher, await databases.empty())
    made = await databases.empty()
    psql(made, there.format(made.name))
    result = await launcher.alembic(chain, "upgrade", "head", url=made.url)
    assert result.code == 0, result.err
    assert "squashed.sql is not used: it does not fit the database: " in result.err
    psql(made, "SELECT n FROM t")


@pytest.mark.slow
async def test_default_privileges_of_the_database(
    chain: Chain, launcher: Launcher, databases: Databases
) -> None:
    """A dump has no REVOKE of what a table had not got where it was made."""
    chain.add(executed("CREATE TABLE t (n int); REVOKE ALL ON t FROM PUBLIC"))
    await squash(chain, launcher, await databases.empty())
    made = await databases.empty()
    psql(made, "ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO PUBLIC")
    result = await launcher.alembic(chain, "upgrade", "head", url=made.url)
    assert result.code == 0, result.err
    assert "squashed.sql is not used: new objects get default privileges" in result.err
    psql(made, "DO $$ BEGIN ASSERT NOT has_table_privilege('public', 't', 'SELECT'); END $$")


@pytest.mark.slow
async def test_default_privileges_of_a_revision(
    chain: Chain, launcher: Launcher, databases: Databases
) -> None:
    """As behind revisions, nobody gets them on the version table and the ledger."""
    chain.add(executed("ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO PUBLIC"))
    await squash(chain, launcher, await databases.empty())
    made, said = await upgraded(chain, launcher, databases)
    assert "SQUASH" in said
    for table in ("alembic_version", "alembic_version_ledger"):
        allowed = f"has_table_privilege('public', '{table}', 'SELECT, UPDATE')"
        psql(made, f"DO $$ BEGIN ASSERT NOT {allowed}; END $$")


@pytest.mark.slow
async def test_constants_with_a_time_zone(
    chain: Chain, launcher: Launcher, databases: Databases
) -> None:
    """Bounds of partitions follow the time zone of the session that makes them."""
    chain.add(
        executed(
            "CREATE TABLE p (at timestamptz) PARTITION BY RANGE (at); "
            "CREATE TABLE p_1 PARTITION OF p FOR VALUES FROM ('2026-01-01') TO ('2026-02-01')"
        )
    )
    said = await squash(chain, launcher, await databases.empty())
    assert "only sessions in UTC begin with it" in said
    for zone, begins in (("UTC", True), ("Europe/Berlin", False)):
        made = await databases.empty()
        psql(made, f"ALTER DATABASE {made.name} SET timezone = '{zone}'")
        result = await launcher.alembic(chain, "upgrade", "head", url=made.url)
        assert result.code == 0, result.err
        assert ("SQUASH" in result.err) == begins, result.err


@pytest.mark.slow
async def test_constants_with_backslashes(
    chain: Chain, launcher: Launcher, databases: Databases
) -> None:
    """They would be others where standard_conforming_strings is off; the revisions run there."""
    chain.add(executed("CREATE TABLE places (path text DEFAULT E'C:\\\\new')"))
    chain.add(executed("INSERT INTO places VALUES (DEFAULT), (E'D:\\\\old')"))
    by_revisions = await databases.empty()
    await squash(chain, launcher, by_revisions)
    for setting in ("on", "off"):
        made = await databases.empty()
        psql(made, f"ALTER DATABASE {made.name} SET standard_conforming_strings = {setting}")
        result = await launcher.alembic(chain, "upgrade", "head", url=made.url)
        assert result.code == 0, result.err
        reason = "standard_conforming_strings is off, and its constants have backslashes"
        assert (reason in result.err) == (setting == "off"), result.err
        connection = await connect(made.url)
        rows = await connection.fetch("SELECT path FROM places ORDER BY path")
        await connection.close()
        assert [row[0] for row in rows] == ["C:\\new", "D:\\old"]


@pytest.mark.slow
async def test_an_edited_file_is_refused(
    small: Chain, launcher: Launcher, databases: Databases
) -> None:
    """Nothing is made. Who deletes it has the chain as it was."""
    made = await databases.empty()
    await squash(small, launcher, made)
    path = small.lock_path.with_name("squashed.sql")
    path.write_text(squashed(small).replace("id integer", "id bigint"), "utf-8")
    checked = await launcher.surefoot(small, "verify", url=made.url)
    assert "no   files     [squash-edited]" in checked.out
    for command in ("lint", "lock"):
        tried = await launcher.surefoot(small, command, url=made.url)
        assert (tried.code, "REFUSED [squash-edited]  " in tried.err) == (3, True), tried.err
    result = await launcher.alembic(small, "upgrade", "head", url=made.url)
    assert result.code == 3, result.err
    assert "REFUSED [squash-edited]  squashed.sql was edited" in result.err
    assert (await state_of(made)).heads == ()
    path.unlink()
    result = await launcher.alembic(small, "upgrade", "head", url=made.url)
    assert (result.code, "APPLY" in result.err) == (0, True), result.err


@pytest.mark.slow
async def test_a_changed_revision_is_refused(
    small: Chain, launcher: Launcher, databases: Databases
) -> None:
    """The squash names what it was made from, and the command that makes it again."""
    made = await databases.empty()
    await squash(small, launcher, made, "0002")
    path = small.path("0001")
    path.write_text(path.read_text("utf-8").replace("id int", "id bigint"), "utf-8")
    small.lock()
    result = await launcher.alembic(small, "upgrade", "head", url=made.url)
    assert result.code == 3, result.err
    assert "[squash-stale]" in result.err
    assert "`surefoot squash 0002` writes it from them" in result.err
    assert (await state_of(made)).heads == ()
    locked = await launcher.surefoot(small, "lock", url=made.url)
    assert (locked.code, "[squash-stale]" in locked.err) == (0, True), locked.err
    checked = await launcher.surefoot(small, "lock", "--check", url=made.url)
    assert (checked.code, "[squash-stale]" in checked.err) == (3, True), checked.err
    await squash(small, launcher, made, "0002")
    result = await launcher.alembic(small, "upgrade", "head", url=made.url)
    assert (result.code, "2 revisions as one" in result.err) == (0, True), result.err


@pytest.mark.slow
@pytest.mark.parametrize("to", ["0002", "0003"], ids=["then revisions", "and is done"])
@pytest.mark.parametrize("by", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
async def test_killed_in_the_middle(
    chain: Chain, launcher: Launcher, databases: Databases, to: str, by: signal.Signals
) -> None:
    """Nothing is there; the next run has all."""
    chain.add(executed(WAITS))
    chain.add(executed("CREATE TABLE t (id int CHECK (waits(id))); INSERT INTO t VALUES (1)"))
    chain.add(executed("CREATE TABLE u (id int)"))
    await squash(chain, launcher, await databases.empty(), to)
    made = await databases.empty()
    watcher = await connect(made.url)
    await watcher.execute("SELECT pg_advisory_lock(4242)")
    run = await launcher.start(chain, "upgrade", "head", url=made.url)
    pid = await _waiting(watcher, run)
    run.signal(by)
    ended = await run.end()
    assert ended.code != 0, ended.err
    if by == signal.SIGINT:
        # A first look cannot tell whether its COMMIT was too late.
        assert ended.code == 130, ended.err
        assert ("interrupted; done: nothing" in ended.err) == (to == "0002"), ended.err
    await watcher.execute("SELECT pg_advisory_unlock(4242)")
    while await watcher.fetchval(
        "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE pid = $1)", pid
    ):
        await asyncio.sleep(0.01)
    left = await state_of(made)
    assert (left.heads, left.ledger, left.rows) == ((), (), {})
    assert not await _names(watcher)
    result = await launcher.alembic(chain, "upgrade", "head", url=made.url)
    assert (result.code, "SQUASH" in result.err) == (0, True), result.err
    assert await _names(watcher) == ["t", "u"]
    await watcher.close()


@pytest.mark.slow
async def test_killed_behind_a_large_object(
    chain: Chain, launcher: Launcher, databases: Databases
) -> None:
    """It is written in the transaction of all of it, which is there or is not."""
    chain.add(executed(WAITS.replace("LANGUAGE plpgsql", "LANGUAGE plpgsql IMMUTABLE")))
    chain.add(executed(KINDS["large object"]))
    chain.add(executed("CREATE TABLE t (n int); INSERT INTO t VALUES (1)"))
    chain.add(executed("CREATE INDEX late ON t ((waits(n)))"))
    chain.add(executed("CREATE TABLE u (id int)"))
    await squash(chain, launcher, await databases.empty(), "0004")
    made = await databases.empty()
    watcher = await connect(made.url)
    await watcher.execute("SELECT pg_advisory_lock(4242)")
    run = await launcher.start(chain, "upgrade", "head", url=made.url)
    await watcher.execute("SELECT pg_terminate_backend($1, 5000)", await _waiting(watcher, run))
    ended = await run.end()
    assert ended.code == 75, ended.err
    assert not await _names(watcher)
    assert await watcher.fetchval("SELECT count(*) FROM pg_largeobject_metadata") == 0
    await watcher.execute("SELECT pg_advisory_unlock(4242)")
    result = await launcher.alembic(chain, "upgrade", "head", url=made.url)
    assert (result.code, "SQUASH" in result.err) == (0, True), result.err
    assert await watcher.fetchval("SELECT lo_get(o) FROM kept") == b"two"
    await watcher.close()


async def _waiting(watcher: asyncpg.Connection[asyncpg.Record], run: Run) -> int:
    """The backend that waits for the lock of the test."""
    waiting = (
        "SELECT pid FROM pg_locks WHERE NOT granted AND objid = 4242 AND database = "
        "(SELECT oid FROM pg_database WHERE datname = current_database())"
    )
    while (pid := await watcher.fetchval(waiting)) is None:
        assert not run.has_ended, run.said
        await asyncio.sleep(0.01)
    return int(pid)


async def _names(watcher: asyncpg.Connection[asyncpg.Record]) -> list[str]:
    found = await watcher.fetch(
        "SELECT relname FROM pg_class WHERE relkind = 'r' AND oid >= 16384 "
        "AND relname NOT LIKE 'alembic%' ORDER BY 1"
    )
    return [row[0] for row in found]


@pytest.mark.slow
async def test_two_at_once(small: Chain, launcher: Launcher, databases: Databases) -> None:
    """One begins with it, and the other has nothing to do."""
    await squash(small, launcher, await databases.empty())
    made = await databases.empty()
    runs = await launcher.start_many(small, "upgrade", "head", count=3, url=made.url)
    results = [await run.end() for run in runs]
    assert [each.code for each in results] == [0, 0, 0], [each.err for each in results]
    assert sum("SQUASH" in each.err for each in results) == 1
    assert len(told(await state_of(made))) == 3


@pytest.mark.slow
async def test_branches(chain: Chain, launcher: Launcher, databases: Databases) -> None:
    """A merge is squashed with its branches; one that nothing merges runs behind it."""
    for identifier, down in (("1", ""), ("2a", "1"), ("2b", "1")):
        sql = f"CREATE TABLE t_{identifier} (id int)"
        chain.add(executed(sql), identifier=identifier, down=down, lock=False)
    chain.add(executed("CREATE TABLE t_side (id int)"), identifier="side", down="1", lock=False)
    chain.add(executed("SELECT 1"), identifier="3", down="2a", lock=False)
    merge = chain.path("3")
    merge.write_text(merge.read_text("utf-8").replace("'2a'\n", "('2a', '2b')\n"), "utf-8")
    chain.lock()
    by_revisions, _ = await upgraded(chain, launcher, databases, "heads")
    refused = await launcher.surefoot(chain, "squash", "head", url=by_revisions.url)
    assert refused.code == 2, refused.err
    assert "there is not one head (3, side): name the revision itself" in refused.err
    await squash(chain, launcher, by_revisions, "3")
    by_squash, said = await upgraded(chain, launcher, databases, "heads")
    assert "4 revisions as one, base to 3" in said
    found, expected = await state_of(by_squash), await state_of(by_revisions)
    assert (found.heads, found.differs(expected)) == (expected.heads, "")


@pytest.mark.sample(4)
@pytest.mark.parametrize(
    ("sql", "reason"),
    {
        "needs our table": (
            "CREATE VIEW v AS SELECT * FROM alembic_version",
            "something of them needs alembic_version or its ledger",
        ),
        "a function that needs the path": (
            "CREATE TABLE n (id int); CREATE FUNCTION seen(i int) RETURNS bool LANGUAGE plpgsql AS "
            "'BEGIN RETURN (SELECT count(*) >= 0 FROM n); END'; "
            "CREATE TABLE u (id int CHECK (seen(id))); INSERT INTO u VALUES (1)",
            "the server refuses their dump",
        ),
        "owner": (
            "CREATE TABLE u (id int); ALTER TABLE u OWNER TO pg_database_owner",
            "their dump gives another schema (table u)",
        ),
        "setting of the database": (
            "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET work_mem = 4096', "
            "current_database()); END $$",
            "they change settings of the database",
        ),
    }.values(),
)
async def test_what_cannot_be_squashed(
    small: Chain, launcher: Launcher, databases: Databases, sql: str, reason: str
) -> None:
    """No file is written."""
    small.add(executed(sql))
    made = await databases.empty()
    result = await launcher.surefoot(small, "squash", "head", url=made.url)
    assert result.code == 3, result.err
    assert reason in result.err
    assert squashed(small) == ""


@pytest.mark.slow
async def test_a_revision_that_there_is_not(
    small: Chain, launcher: Launcher, empty_database: Database
) -> None:
    """The nearest is named."""
    result = await launcher.surefoot(small, "squash", "0004", url=empty_database.url)
    assert result.code == 2, result.err
    assert result.err == (
        "ERROR [revision-unknown]  no revision is '0004'\n"
        "  help: did you mean '0003'? `alembic history` lists the revisions\n"
    )


@pytest.mark.slow
async def test_the_commands_of_a_project(
    tmp_path: Path, launcher: Launcher, databases: Databases
) -> None:
    """They judge the revisions, as without it; the database has what revisions and models say."""
    chain = Chain(tmp_path / "sample", of_project=True)
    made = await databases.empty()
    commands = (("plan",), ("lint",), ("lock",), ("scratch",))
    before = [await launcher.surefoot(chain, *each, url=made.url) for each in commands]
    await squash(chain, launcher, made)
    after = [await launcher.surefoot(chain, *each, url=made.url) for each in commands]
    assert [each.code for each in after] == [each.code for each in before] == [0] * 4
    assert after[1].out == before[1].out
    # The times that a plan expects differ from run to run.
    assert after[0].out.splitlines()[0] == before[0].out.splitlines()[0]
    by_squash, said = await upgraded(chain, launcher, databases)
    assert "SQUASH" in said
    for command in (("verify",), ("drift",)):
        result = await launcher.surefoot(chain, *command, url=by_squash.url)
        assert result.code == 0, result.out


@pytest.mark.slow
async def test_a_branch_that_another_one_depends_on(
    chain: Chain, launcher: Launcher, databases: Databases
) -> None:
    """It is squashed with it, and the version table has the same rows."""
    chain.add(executed("CREATE TABLE a (id int)"), identifier="a1", down="", lock=False)
    chain.add(executed("CREATE TABLE b (id int)"), identifier="b1", down="", lock=False)
    chain.add(executed("SELECT 1"), identifier="b2", down="b1", lock=False)
    path = chain.path("b2")
    text = path.read_text("utf-8").replace("\nphase", "\ndepends_on = 'a1'\nphase")
    path.write_text(text, "utf-8")
    chain.lock()
    by_revisions, _ = await upgraded(chain, launcher, databases, "heads")
    await squash(chain, launcher, by_revisions, "b2")
    by_squash, said = await upgraded(chain, launcher, databases, "heads")
    assert "3 revisions as one, base to b2" in said
    found, expected = await state_of(by_squash), await state_of(by_revisions)
    assert (found.heads, found.differs(expected)) == (expected.heads, "")


@pytest.mark.slow
async def test_a_lost_connection(chain: Chain, launcher: Launcher, databases: Databases) -> None:
    """It is the error of any run."""
    chain.add(executed(WAITS))
    chain.add(executed("CREATE TABLE t (id int CHECK (waits(id))); INSERT INTO t VALUES (1)"))
    chain.add(executed("CREATE TABLE u (id int)"))
    await squash(chain, launcher, await databases.empty(), "0002")
    made = await databases.empty()
    watcher = await connect(made.url)
    await watcher.execute("SELECT pg_advisory_lock(4242)")
    run = await launcher.start(chain, "upgrade", "head", url=made.url)
    pid = await _waiting(watcher, run)
    await watcher.execute("SELECT pg_terminate_backend($1)", pid)
    result = await run.end()
    assert (result.code, "[connection-lost]" in result.err) == (75, True), result.err
    await watcher.close()
    assert (await state_of(made)).heads == ()


async def test_another_session_has_a_name(
    small: Chain, launcher: Launcher, databases: Databases
) -> None:
    """A table of its transaction, which nobody else sees yet; the lock timeout ends the wait."""
    await squash(small, launcher, await databases.empty())
    made = await databases.empty()
    other = await connect(made.url)
    await other.execute("BEGIN; CREATE TABLE t (id int)")
    env = {"SUREFOOT_TEST_LOCK_TIMEOUT_S": "0.2"}
    result = await launcher.alembic(small, "upgrade", "head", url=made.url, env=env)
    assert (result.code, "[lock-blocked]" in result.err) == (75, True), result.err
    await other.execute("ROLLBACK")
    assert (await state_of(made)).heads == ()
    result = await launcher.alembic(small, "upgrade", "head", url=made.url, env=env)
    assert (result.code, "SQUASH" in result.err) == (0, True), result.err
    await other.close()


@pytest.mark.slow
async def test_a_first_look_loads_no_other_library(
    small: Chain, launcher: Launcher, databases: Databases
) -> None:
    """Neither SQLAlchemy nor Alembic, also where it applies the squash."""
    made = await databases.empty()
    await squash(small, launcher, made)
    result = unloaded(small, made.url)
    assert ("SQUASH" in result.stderr, result.stdout) == (True, "set()\n"), result.stderr


@pytest.mark.slow
async def test_roles_cannot_be_squashed(small: Chain) -> None:
    """A dump of a database has none, also on a server of our own."""
    small.add(executed("CREATE ROLE surefoot_reader"))
    nowhere = Access("postgresql://nobody@127.0.0.1:1/nowhere")
    with pytest.raises(NotSquashed, match="they change roles, which a dump"):
        await make(Project.read(small.ini), nowhere, "0004")


@pytest.mark.slow
async def test_a_dump_whose_session_was_ended_is_repeated(
    small: Chain, databases: Databases, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says nothing of the revisions; where the server does not answer that is said."""
    calls = 0

    async def ended(*options: Any, **named: Any) -> tuple[int, str, str]:
        nonlocal calls
        calls += 1
        return (
            (1, "", "pg_dump: error: query failed")
            if calls == 1
            else await run_program(*options, **named)
        )

    monkeypatch.setattr(dump, "run_program", ended)
    server = (await databases.empty()).url
    made = await make(Project.read(small.ini), Access(server, scratch_url=server), "0003")
    assert (made.squash.count, calls) == (3, 6)
    dead, calls = Access("postgresql://nobody@127.0.0.1:1/nowhere", pg_bindir=None), 0
    with pytest.raises(DatabaseUnreachable):
        await dump.dumped_schema(dead, PG_MAJOR, "0003")


async def test_without_any_postgresql(small: Chain, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says what there has to be."""
    monkeypatch.setattr(binaries, "WHEELS", ())
    monkeypatch.setattr(binaries, "INSTALLED", ())
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(ServerBinariesMissing, match="there is no PostgreSQL to try it on"):
        await make(Project.read(small.ini), Access("postgresql:///nowhere"), "0003")


@pytest.mark.slow
async def test_every_postgresql_at_hand(
    chain: Chain, launcher: Launcher, databases: Databases, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is proved on each that can read it, and used on no other."""
    with temporary_folder() as folder:
        # No server is kept.
        monkeypatch.setenv("XDG_CACHE_HOME", str(folder / "none"))
        (folder / "none").touch()
        for sql in KINDS.values():
            chain.add(executed(sql))
        nowhere = Access("postgresql://nobody@127.0.0.1:1/nowhere")
        made = await make(Project.read(chain.ini), nowhere, chain.ids[-1])
    at_hand = majors_at_hand()
    assert len(at_hand) > 1
    # MAINTAIN, one of the privileges that the owner has left, is known since 17; a wheel may lack
    # the extension, and then the revisions do not run there either.
    assert sorted((*made.squash.majors, *made.unproved)) == sorted(at_hand)
    for major, reason in made.unproved.items():
        assert ("maintain" in reason and major < 17) or "citext" in reason, reason
    assert made.unproved or at_hand[-1] >= 17
    others = tuple(each for each in at_hand if each != PG_MAJOR)
    path = chain.lock_path.with_name("squashed.sql")
    path.write_text(replace(made.squash, majors=others).text(), "utf-8")
    _, said = await upgraded(chain, launcher, databases)
    assert f"the server is PostgreSQL {PG_MAJOR}, and it was proved on" in said
    assert "SQUASH" not in said
