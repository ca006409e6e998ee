"""The first revisions need tables that an application made: a database tells them."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import asyncpg
import pytest
from sqlalchemy import Column, Integer, MetaData, Table

from harness.commands import psql, snapshot_of
from harness.databases import Database, Databases, execute, value
from harness.runs import Chain, Launcher
from harness.states import state_of
from surefoot.chain.lockfile import read_lock
from surefoot.connect.database import Database as Access
from surefoot.scratch import scratch
from surefoot.testing import ChainTests
from surefoot.testing.offline_sql import run_offline
from surefoot.testing.populated_upgrade import upgrade_with_rows
from surefoot.testing.round_trip import walk_round_trip

# Of an application, before there were revisions; 0002 adds the last column.
TABLES = """
CREATE TYPE mood AS ENUM ('good', 'bad');
CREATE TABLE person (id serial PRIMARY KEY, name text NOT NULL, mood mood, note text);
CREATE VIEW named AS SELECT name FROM person;
INSERT INTO person (name) VALUES ('Ada');
CREATE TABLE alembic_version (version_num varchar(32) NOT NULL PRIMARY KEY);
INSERT INTO alembic_version VALUES ('0002');
"""


@pytest.fixture
def legacy(chain: Chain) -> Chain:
    """Its first revision is empty, and its second one changes a table that none creates."""
    chain.add("pass")
    chain.add(
        "op.add_column('person', sa.Column('note', sa.Text))", "op.drop_column('person', 'note')"
    )
    chain.lock(baseline=["0002"])
    return chain


@pytest.fixture
async def lived_in(databases: Databases) -> Database:
    """The database of that application."""
    made = await databases.empty()
    psql(made, TABLES)
    return made


def squashed(chain: Chain) -> Path:
    return chain.lock_path.with_name("squashed.sql")


@pytest.mark.slow
async def test_nothing_that_tries_revisions_can_begin(
    legacy: Chain, launcher: Launcher, lived_in: Database, databases: Databases
) -> None:
    """Each command says which one helps, and an upgrade of a new database does, too."""
    empty = await databases.empty()
    for command in (
        launcher.surefoot(legacy, "lock", url=lived_in.url),
        launcher.alembic(legacy, "upgrade", "head", url=empty.url),
    ):
        done = await command
        assert done.code == 4, done.err
        assert 'relation "person" does not exist (SQLSTATE 42P01)' in done.err
        assert "FAILED [object-missing]  0002 failed: " in done.err
        assert "surefoot squash REV --from-database` lets empty databases begin" in done.err


@pytest.mark.slow
async def test_all_of_it_begins_with_the_schema_of_a_database(
    legacy: Chain, launcher: Launcher, lived_in: Database, databases: Databases
) -> None:
    """The commands that try revisions, new databases, and those that have the tables."""
    done = await launcher.surefoot(legacy, "squash", "0002", "--from-database", url=lived_in.url)
    assert done.code == 0, done.err
    assert "OK  squashed.sql written: 2 revisions up to 0002, " in done.err
    assert "it has the schema alone: no rows, such as those that revisions insert" in done.err
    text = squashed(legacy).read_text("utf-8")
    assert "the schema of a database at 0002, without rows.\n" in text
    assert "surefoot squash 0002 --from-database`" in text
    assert "Ada" not in text
    # Only a look: the database has no ledger.
    assert await value(lived_in.url, "SELECT to_regclass('alembic_version_ledger')::text") is None

    legacy.add("op.execute('CREATE TABLE size (id int)')", "op.drop_table('size')", lock=False)
    legacy.lock(baseline=["0002"])
    for command in (("lock",), ("lock", "--check"), ("lint",), ("plan",)):
        done = await launcher.surefoot(legacy, *command, url=lived_in.url)
        assert done.code == 0, (command, done.out, done.err)
    known = [each.fingerprint is not None for each in read_lock(legacy.lock_path)]
    assert known == [False, True, True]

    for words in (["upgrade", "head"], ["downgrade", "-1"], ["upgrade", "head"]):
        done = await launcher.alembic(legacy, *words, url=lived_in.url)
        assert done.code == 0, (words, done.err)
    done = await launcher.surefoot(legacy, "drift", "--no-models", url=lived_in.url)
    assert done.code == 0, done.out
    assert await value(lived_in.url, "SELECT count(*) FROM person") == 1

    # A second squash has neither the ledger nor the tables of backfills.
    await execute(lived_in.url, "CREATE TABLE alembic_version_backfills (name text PRIMARY KEY)")
    done = await launcher.surefoot(legacy, "squash", "0003", "--from-database", url=lived_in.url)
    assert done.code == 0, done.err
    assert "alembic_version" not in squashed(legacy).read_text("utf-8")
    squashed(legacy).write_text(text, "utf-8")

    made = await databases.empty()
    done = await launcher.alembic(legacy, "upgrade", "head", url=made.url)
    assert done.code == 0, done.err
    assert f"SQUASH  {made.name}: 2 revisions as one, base to 0002, without rows  " in done.err
    assert await snapshot_of(made) == await snapshot_of(lived_in)
    assert await value(made.url, "SELECT count(*) FROM person") == 0
    assert [row.revision for row in (await state_of(made)).ledger if row.outcome == "applied"] == [
        "0001", "0002", "0003",
    ]  # fmt: skip
    done = await launcher.surefoot(legacy, "drift", "--no-models", url=made.url)
    assert done.code == 0, done.out


@pytest.mark.slow
async def test_the_tests_of_a_chain_begin_behind_it(
    legacy: Chain, launcher: Launcher, lived_in: Database
) -> None:
    """Up and down, with rows, and as SQL; without a revision behind it the models are compared."""
    done = await launcher.surefoot(legacy, "squash", "head", "--from-database", url=lived_in.url)
    assert done.code == 0, done.err
    metadata = MetaData()
    Table("person", metadata, *(Column(name, Integer) for name in ("id", "name", "mood", "note")))
    tests = ChainTests(legacy.ini, metadata)
    made = partial(scratch, Access(lived_in.url, scratch_url=lived_in.url), tests.project)
    assert tests.line() == ("0002", ())
    there = (await walk_round_trip(tests, made)).models
    assert "changed type of column person.name: expected integer, found text" in there

    legacy.add("op.execute('CREATE TABLE size (id int)')", "op.drop_table('size')", lock=False)
    legacy.lock(baseline=["0002"])
    tests = ChainTests(legacy.ini, metadata)
    walk = await walk_round_trip(tests, made)
    assert (walk.reached, walk.errors) == (["0003"], {})
    rows = await upgrade_with_rows(tests, made)
    assert (rows.reached, rows.errors) == (["0003"], {})
    offline = await run_offline(tests, made, walk.catalogs)
    assert (offline.reached, offline.errors, offline.whole) == (["0003"], {}, None)


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        ("UPDATE alembic_version SET version_num = '0001'", "the database is at 0001"),
        ("DROP TABLE alembic_version", "the database is at base"),
        (
            "CREATE SCHEMA app; ALTER DATABASE {0} SET search_path = app, public; "
            "ALTER TABLE alembic_version SET SCHEMA app",
            "new objects get the schema app in the database, and public on a scratch database",
        ),
    ],
)
async def test_it_cannot_be_taken(
    legacy: Chain, launcher: Launcher, lived_in: Database, sql: str, reason: str
) -> None:
    """Nothing is written."""
    psql(lived_in, sql.format(lived_in.name))
    done = await launcher.surefoot(legacy, "squash", "0002", "--from-database", url=lived_in.url)
    assert done.code == 3, done.err
    assert f"[not-squashed]  the revisions up to 0002 cannot be squashed: {reason}" in done.err
    assert not squashed(legacy).exists()


@pytest.mark.slow
async def test_the_schemas_of_others_stay_theirs(
    legacy: Chain, launcher: Launcher, lived_in: Database
) -> None:
    """Where the project names its own; one that has nothing but an extension comes along."""
    path = legacy.folder / "alembic" / "env.py"
    path.write_text(path.read_text("utf-8").replace(").run()", ", schemas=['public']).run()"))
    psql(
        lived_in,
        'CREATE SCHEMA "the.ir$"; CREATE TABLE "the.ir$".t (id int); CREATE SCHEMA ext; '
        "CREATE EXTENSION hstore SCHEMA ext; ALTER TABLE person ADD more ext.hstore",
    )
    done = await launcher.surefoot(legacy, "squash", "head", "--from-database", url=lived_in.url)
    assert done.code == 0, done.err
    assert "without the schemas of others: the.ir$\n" in done.err
    text = squashed(legacy).read_text("utf-8")
    assert "the.ir$" not in text
    assert "ext.hstore" in text

    squashed(legacy).unlink()
    psql(lived_in, 'ALTER TABLE "the.ir$".t ADD PRIMARY KEY (id)')
    psql(lived_in, 'ALTER TABLE person ADD FOREIGN KEY (id) REFERENCES "the.ir$".t NOT VALID')
    done = await launcher.surefoot(legacy, "squash", "head", "--from-database", url=lived_in.url)
    assert done.code == 4, done.err
    assert "[schema-not-copied]" in done.err
    assert 'schema "the.ir$" does not exist' in done.err
    assert "left out were the schemas that the project does not name (the.ir$): name" in done.err
    assert not squashed(legacy).exists()


@pytest.mark.slow
async def test_what_belongs_to_the_operator_of_the_server_stays_there(
    legacy: Chain,
    launcher: Launcher,
    lived_in: Database,
    databases: Databases,
    watcher: asyncpg.Connection,
) -> None:
    """A role without rights on it copies the schema of its own, and a new database begins with it.

    There, standard_conforming_strings is off, and a constant has a backslash.
    """
    role = f"{lived_in.name}_migrates"
    await watcher.execute(f"CREATE ROLE {role} LOGIN CREATEDB")
    operators = (
        'CREATE SCHEMA "Of It"; CREATE TABLE "Of It".job (id int); '
        "CREATE FUNCTION \"Of It\".see() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END'; "
        'CREATE EVENT TRIGGER "see it" ON ddl_command_end EXECUTE FUNCTION "Of It".see(); '
        "COMMENT ON EVENT TRIGGER \"see it\" IS 'of the operator'; "
    )
    psql(
        lived_in,
        f"{operators} ALTER TABLE person OWNER TO {role}; ALTER TYPE mood OWNER TO {role}; "
        f"ALTER VIEW named OWNER TO {role}; ALTER TABLE alembic_version OWNER TO {role}; "
        f"GRANT ALL ON SCHEMA public TO {role}; "
        "ALTER TABLE person ALTER note SET DEFAULT E'C:\\\\new'",
    )
    try:
        url = lived_in.url.replace("://tester@", f"://{role}@")
        done = await launcher.surefoot(legacy, "squash", "head", "--from-database", url=url)
        assert done.code == 0, done.err
        assert "without the schemas of others: Of It\n" in done.err
        text = squashed(legacy).read_text("utf-8")
        assert "Of It" not in text
        assert "see it" not in text
        made = await databases.empty()
        psql(
            made,
            f"GRANT ALL ON SCHEMA public TO {role}; "
            f"ALTER DATABASE {made.name} SET standard_conforming_strings = off",
        )
        done = await launcher.alembic(
            legacy, "upgrade", "head", url=made.url.replace("://tester@", f"://{role}@")
        )
        assert "SQUASH" in done.err, done.err
        await execute(made.url, "INSERT INTO person (name) VALUES ('Bob')")
        assert await value(made.url, "SELECT note FROM person") == "C:\\new"
        await databases.drop(made)

        legacy.add("op.execute('CREATE TABLE more (id bigint PRIMARY KEY)')")
        done = await launcher.surefoot(legacy, "plan", "--from-database", url=url)
        assert "1 of 1  0003" in done.out, done
        assert "FAILS" not in done.out
        psql(lived_in, f'GRANT USAGE ON SCHEMA "Of It" TO {role}')
        done = await launcher.surefoot(legacy, "plan", "--from-database", url=url)
        assert 'it may not read "Of It".job\n' in done.err, done
        path = legacy.folder / "alembic" / "env.py"
        path.write_text(path.read_text("utf-8").replace(").run()", ", schemas=['public']).run()"))
        done = await launcher.surefoot(legacy, "plan", "--from-database", url=url)
        assert "1 of 1  0003" in done.out, done
    finally:
        psql(lived_in, f"DROP OWNED BY {role} CASCADE")
        await watcher.execute(f"DROP ROLE {role}")


@pytest.mark.slow
async def test_a_new_database_that_it_does_not_fit(
    legacy: Chain, launcher: Launcher, lived_in: Database, databases: Databases
) -> None:
    """The run says so, and not that a table is missing."""
    done = await launcher.surefoot(legacy, "squash", "head", "--from-database", url=lived_in.url)
    assert done.code == 0, done.err
    made = await databases.empty()
    await execute(made.url, "ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO PUBLIC")
    done = await launcher.alembic(legacy, "upgrade", "head", url=made.url)
    assert done.code == 4, done.err
    assert (
        "FAILED [run-failed]  0002 failed: squashed.sql is not used: new objects get default "
        "privileges, and it was made without them\n" in done.err
    )
    # One that has tables, and was never at a revision, runs the files.
    inhabited = await databases.empty()
    psql(inhabited, TABLES.partition("CREATE TABLE alembic_version")[0])
    psql(inhabited, "ALTER TABLE person DROP note")
    done = await launcher.surefoot(
        legacy, "ops", "adopt", "base", "--reason", "made by the application", "--execute",
        url=inhabited.url,
    )  # fmt: skip
    assert done.code == 0, done.err
    done = await launcher.alembic(legacy, "upgrade", "head", url=inhabited.url)
    assert (done.code, "SQUASH" in done.err) == (0, False), done.err
    assert await snapshot_of(inhabited) == await snapshot_of(lived_in)


async def test_an_edited_revision_needs_it_again(
    legacy: Chain, launcher: Launcher, lived_in: Database
) -> None:
    """The help has the whole command."""
    done = await launcher.surefoot(legacy, "squash", "head", "--from-database", url=lived_in.url)
    assert done.code == 0, done.err
    path = legacy.path("0002")
    path.write_text(path.read_text("utf-8").replace("sa.Text", "sa.String"), "utf-8")
    legacy.lock(baseline=["0002"])
    done = await launcher.surefoot(legacy, "lock", "--check", url=lived_in.url)
    assert done.code == 3, done.err
    assert "[squash-stale]" in done.err
    assert "`surefoot squash 0002 --from-database` writes it" in done.err


async def taken(legacy: Chain, launcher: Launcher, database: Database, revision: str) -> str:
    """Write the file from a database; the words of the command."""
    done = await launcher.surefoot(legacy, "squash", revision, "--from-database", url=database.url)
    assert done.code == 0, done.err
    return done.err


async def test_a_revision_before_it_is_not_run_on_an_empty_database(
    legacy: Chain, launcher: Launcher, lived_in: Database, databases: Databases
) -> None:
    """The first ones may run there, and leave a database that is at them and has no table."""
    await taken(legacy, launcher, lived_in, "0002")
    made = await databases.empty()
    for goal in ("0001", "+1", "+2"):
        done = await launcher.alembic(legacy, "upgrade", goal, url=made.url)
        assert done.code == 3, done.err
        assert (
            "REFUSED [before-squash]  an empty database begins with squashed.sql, the schema of a "
            "database at 0002, and 0001 does not run on one\n" in done.err
        )
    done = await launcher.surefoot(legacy, "schema", "--at", "0001", url=lived_in.url)
    assert (done.code, "[before-squash]" in done.err) == (3, True), done.err
    # A database that is at it has the tables.
    behind = await databases.empty()
    psql(
        behind,
        f"{TABLES}ALTER TABLE person DROP note; UPDATE alembic_version SET version_num = '0001'",
    )
    done = await launcher.surefoot(legacy, "drift", "--no-models", url=behind.url)
    assert (done.code, "DROP TABLE" in done.out) == (3, False), done.out
    planned = await launcher.surefoot(legacy, "plan", "--from-database", url=behind.url)
    assert planned.code == 0, planned.err
    assert "surefoot lock --baseline 0002` takes the revisions up to it as they are" in done.err
    done = await launcher.alembic(legacy, "upgrade", "head", url=made.url)
    assert (done.code, "SQUASH  " in done.err) == (0, True), done.err


async def test_its_revision_has_gone(
    legacy: Chain, launcher: Launcher, lived_in: Database, databases: Databases
) -> None:
    """A new database does not come to what is left of the chain."""
    await taken(legacy, launcher, lived_in, "head")
    legacy.path("0002").unlink()
    legacy.lock(baseline=["0001"])
    made = await databases.empty()
    done = await launcher.alembic(legacy, "upgrade", "head", url=made.url)
    assert done.code == 3, done.err
    assert "[squash-stale]" in done.err
    assert (
        "`surefoot squash head --from-database` writes it from the database again; without the "
        "file an empty database cannot be upgraded" in done.err
    )


@pytest.mark.slow
async def test_fingerprints_are_those_of_the_schema_that_it_has(
    legacy: Chain, launcher: Launcher, lived_in: Database, databases: Databases
) -> None:
    """Another file gives another schema, by the same revisions."""
    legacy.add("op.execute('CREATE TABLE size (id int)')", "op.drop_table('size')", lock=False)
    legacy.lock(baseline=["0002"])

    def seen() -> list[tuple[str | None, str | None]]:
        return [(each.fingerprint, each.verdict) for each in read_lock(legacy.lock_path)][1:]

    async def lock() -> None:
        done = await launcher.surefoot(legacy, "lock", url=lived_in.url)
        assert done.code == 0, done.err

    await taken(legacy, launcher, lived_in, "0002")
    await lock()
    before = seen()
    assert "fingerprints" not in await taken(legacy, launcher, lived_in, "0002")
    assert seen() == before

    psql(lived_in, "CREATE INDEX by_name ON person (name)")
    said = await taken(legacy, launcher, lived_in, "0002")
    assert (
        "revisions.lock had fingerprints of another schema, and has none now. Next: surefoot lock\n"
        in said
    )
    assert seen() == [(None, None), (None, None)]
    await lock()
    assert [verdict for _, verdict in seen()] == [None, "clean"]
    assert not {each for each, _ in seen()} & {each for each, _ in before}

    made = await databases.empty()
    done = await launcher.alembic(legacy, "upgrade", "head", url=made.url)
    assert done.code == 0, done.err
    done = await launcher.surefoot(legacy, "status", url=made.url)
    assert ": at head 0003, no drift" in done.out, done.out

    # At a later revision the schema is that of the lock.
    done = await launcher.alembic(legacy, "upgrade", "head", url=lived_in.url)
    assert done.code == 0, done.err
    known = seen()
    assert "fingerprints" not in await taken(legacy, launcher, lived_in, "0003")
    assert seen() == known


@pytest.mark.slow
async def test_another_branch_beside_it(
    legacy: Chain, launcher: Launcher, lived_in: Database
) -> None:
    """Its head comes first by name; a scratch database begins with the tables all the same."""
    await taken(legacy, launcher, lived_in, "0002")
    legacy.add(
        "op.execute('CREATE TABLE other (id int)')",
        "op.drop_table('other')",
        identifier="0000",
        down="",
        lock=False,
    )
    legacy.add(
        "op.execute('CREATE TABLE size (id int)')",
        "op.drop_table('size')",
        identifier="0003",
        down="0002",
        lock=False,
    )
    legacy.lock(baseline=["0002"])
    for command in (("lock",), ("lint",), ("plan", "heads"), ("schema", "--at", "heads")):
        done = await launcher.surefoot(legacy, *command, url=lived_in.url)
        assert done.code == 0, (command, done.out, done.err)
    tests = ChainTests(legacy.ini, MetaData(), branches=True)
    made = partial(scratch, Access(lived_in.url, scratch_url=lived_in.url), tests.project)
    start, revisions = tests.line()
    assert (start, [each.id for each in revisions]) == ("0002", ["0000", "0003"])
    walk = await walk_round_trip(tests, made)
    assert (walk.reached, walk.errors) == (["0000", "0003"], {})
    rows = await upgrade_with_rows(tests, made)
    assert (rows.reached, rows.errors) == (["0000", "0003"], {})
    offline = await run_offline(tests, made, walk.catalogs)
    assert (offline.reached, offline.errors, offline.whole) == (["0000", "0003"], {}, None)


@pytest.mark.slow
async def test_what_is_behind_it_is_tried_behind_it(
    legacy: Chain, launcher: Launcher, lived_in: Database
) -> None:
    """Also what builds on a revision before it, and with a baseline before it."""
    size = "op.execute('CREATE TABLE size (id int)')", "op.drop_table('size')"
    legacy.add(*size, identifier="0003b", down="0001", lock=False)
    legacy.lock(baseline=["0001"])
    await taken(legacy, launcher, lived_in, "0002")
    done = await launcher.surefoot(legacy, "lock", url=lived_in.url)
    assert done.code == 0, done.err
    assert "0002 was not seen to its end: surefoot lint 0002" in done.err
    verdicts = {each.id: each.verdict for each in read_lock(legacy.lock_path)}
    assert verdicts == {"0001": None, "0002": "unknown", "0003b": "clean"}
    done = await launcher.surefoot(legacy, "schema", "--at", "0001", url=lived_in.url)
    assert done.code == 3, done.out
    for command in (("lint", "0003b"), ("plan", "heads")):
        done = await launcher.surefoot(legacy, *command, url=lived_in.url)
        assert done.code == 0, (command, done.out, done.err)
    done = await launcher.surefoot(legacy, "lock", "--baseline", "0002", url=lived_in.url)
    assert done.code == 0, done.err
    done = await launcher.surefoot(legacy, "lint", url=lived_in.url)
    assert done.code == 0, done.out


@pytest.mark.slow
async def test_what_else_the_database_has(
    legacy: Chain, launcher: Launcher, lived_in: Database, databases: Databases
) -> None:
    """Materialized views can be read, also one that reads another one; our own tables stay away."""
    psql(
        lived_in,
        "CREATE MATERIALIZED VIEW one AS SELECT count(*) AS n FROM person; "
        "CREATE VIEW b AS SELECT 1 AS n; CREATE MATERIALIZED VIEW two AS SELECT n FROM b; "
        "CREATE MATERIALIZED VIEW three AS SELECT n FROM one; "
        "CREATE OR REPLACE VIEW b AS SELECT n::int FROM three; REFRESH MATERIALIZED VIEW two; "
        "CREATE MATERIALIZED VIEW ratio AS SELECT 1 / count(*) AS n FROM person; "
        "CREATE MATERIALIZED VIEW none AS SELECT 1 AS n WITH NO DATA; "
        "CREATE TABLE alembic_version_backfills (name text)",
    )
    said = await taken(legacy, launcher, lived_in, "0002")
    assert "not filled, as empty tables cannot: public.ratio\n" in said
    done = await launcher.surefoot(legacy, "plan", "--from-database", url=lived_in.url)
    assert done.code == 0, done.err
    assert "alembic_version" not in squashed(legacy).read_text("utf-8")
    made = await databases.empty()
    done = await launcher.alembic(legacy, "upgrade", "head", url=made.url)
    assert done.code == 0, done.err
    assert await value(made.url, "SELECT n FROM two") == 0
    filled = "SELECT relispopulated FROM pg_class WHERE relname = 'none'"
    assert await value(made.url, filled) is False
