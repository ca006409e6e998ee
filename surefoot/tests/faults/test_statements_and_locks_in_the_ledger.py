"""The ledger keeps the statements of a revision, without values, and the locks of its commit."""

import json
import subprocess
from typing import Any

import asyncpg
import pytest

from harness.databases import Database
from harness.runs import Chain, Launcher
from surefoot.embedded.binaries import find_binaries
from surefoot.ledger.details import MOST
from surefoot.version_table import VersionTable

LEDGER = VersionTable().ledger_name
KEPT = f"SELECT details FROM {LEDGER} WHERE revision = $1 ORDER BY id DESC LIMIT 1"
BEFORE = """
for name in ("t", "gone", "idle"):
    op.execute(f"CREATE TABLE {name} (id int PRIMARY KEY, note text)")
op.execute("CREATE VIEW seen AS SELECT id FROM idle")
"""
OLDER = f"ALTER TABLE {LEDGER} DROP COLUMN details, DROP COLUMN requires_code"


@pytest.fixture
async def begun(chain: Chain, launcher: Launcher, empty_database: Database) -> Chain:
    """A database that has tables, so that each further revision has its own transaction."""
    chain.add(BEFORE)
    await applied(chain, launcher, empty_database)
    return chain


@pytest.fixture
async def older(
    chain: Chain, launcher: Launcher, empty_database: Database, watcher: asyncpg.Connection
) -> Chain:
    """A ledger that lacks the columns, with a row that never had a value in them."""
    chain.add(BEFORE)
    done = await launcher.alembic(chain, "upgrade", "head", "--sql", url=empty_database.url)
    psql(empty_database, done.out)
    await watcher.execute(OLDER)
    return chain


async def applied(chain: Chain, launcher: Launcher, database: Database) -> None:
    done = await launcher.alembic(chain, "upgrade", "head", url=database.url)
    assert done.code == 0, done.err


async def kept(watcher: asyncpg.Connection, revision: str) -> dict[str, Any]:
    """The details of the last row about a revision."""
    query = KEPT.replace("WHERE", "WHERE outcome IN ('applied', 'failed') AND")
    found: dict[str, Any] = json.loads(await watcher.fetchval(query, revision))
    return found


def sent(details: dict[str, Any]) -> list[str]:
    return [each["sql"] for each in details["sent"]]


@pytest.mark.slow
async def test_of_a_revision_with_a_transaction_of_its_own(
    begun: Chain, launcher: Launcher, empty_database: Database, watcher: asyncpg.Connection
) -> None:
    """Its locks on what was there before: not on what it made, read, or is ours."""
    begun.add(
        "op.execute('ALTER TABLE t ADD COLUMN n int DEFAULT 42')\n"
        "op.execute(\"UPDATE idle SET note = 'battery' -- it's 'staple'\")\n"
        "op.execute('CREATE TABLE made (id int REFERENCES t)')\n"
        "op.execute('CREATE VIEW new AS SELECT id FROM made')\n"
        "op.execute('CREATE OR REPLACE VIEW seen AS SELECT id FROM idle WHERE id > 7')\n"
        "op.execute('DROP TABLE gone')\n"
        "op.execute('SELECT pg_sleep(0.3)')"
    )
    await applied(begun, launcher, empty_database)
    found = await kept(watcher, "0002")
    assert sent(found) == [
        "ALTER TABLE t ADD COLUMN n int DEFAULT ?",
        "UPDATE idle SET note = ?",
        "CREATE TABLE made (id int REFERENCES t)",
        "CREATE VIEW new AS SELECT id FROM made",
        "CREATE OR REPLACE VIEW seen AS SELECT id FROM idle WHERE id > ?",
        "DROP TABLE gone",
        "SELECT pg_sleep(?)",
    ]
    assert max(found["sent"], key=lambda each: each["duration_s"]) == found["sent"][-1]
    assert (found["locks"], found["more_locks"], "more_s" in found) == (
        [
            {"mode": "ACCESS EXCLUSIVE", "table": "seen"},
            {"mode": "ACCESS EXCLUSIVE", "table": "t"},
            {"mode": "ACCESS EXCLUSIVE", "table": None},
            {"mode": "ROW EXCLUSIVE", "table": "idle"},
        ],
        0,
        False,
    )
    back = await launcher.alembic(begun, "downgrade", "0001", url=empty_database.url)
    assert back.code == 0, back.err


@pytest.mark.slow
async def test_many_are_counted(
    begun: Chain, launcher: Launcher, empty_database: Database, watcher: asyncpg.Connection
) -> None:
    """The first are kept by name, tables with the strongest locks before others."""
    begun.add(
        f"for n in range({MOST + 5}):\n    op.execute(f'CREATE TABLE t{{n}} (id int)')\n",
    )
    begun.add(
        f"for n in range({MOST + 5}):\n    op.execute(f'ALTER TABLE t{{n}} ADD COLUMN n int')\n"
        "op.execute('INSERT INTO t VALUES (1)')"
    )
    await applied(begun, launcher, empty_database)
    made, altered = await kept(watcher, "0002"), await kept(watcher, "0003")
    assert (len(made["sent"]), made["locks"], made["more_locks"]) == (MOST, [], 0)
    assert made["more_s"] > 0
    modes = {each["mode"] for each in altered["locks"]}
    assert (len(altered["locks"]), modes) == (MOST, {"ACCESS EXCLUSIVE"})
    assert altered["more_locks"] == 6
    counts = await watcher.fetchval(f"SELECT array_agg(statements ORDER BY id DESC) FROM {LEDGER}")
    assert counts[1:3] == [MOST + 6, MOST + 5]


@pytest.mark.slow
async def test_of_revisions_that_commit_together(
    chain: Chain, launcher: Launcher, empty_database: Database, watcher: asyncpg.Connection
) -> None:
    """Each has its statements; their locks are those of all."""
    chain.add("op.execute('CREATE TABLE t (id int)')")
    chain.add("op.execute('ALTER TABLE t ADD COLUMN n int')")
    await applied(chain, launcher, empty_database)
    first, second = await kept(watcher, "0001"), await kept(watcher, "0002")
    assert sent(first) == ["CREATE TABLE t (id int)"]
    assert sent(second) == ["ALTER TABLE t ADD COLUMN n int"]
    assert {"locks"} & (first.keys() | second.keys()) == set()


@pytest.mark.slow
async def test_of_a_step_outside_a_transaction(
    begun: Chain, launcher: Launcher, empty_database: Database, watcher: asyncpg.Connection
) -> None:
    """Its statement, without those of the run beside it; nothing looked at its locks."""
    begun.add("op.create_index_concurrently('t_note', 't', ['note'])")
    await applied(begun, launcher, empty_database)
    found = await kept(watcher, "0002")
    assert sent(found) == ["CREATE INDEX CONCURRENTLY t_note ON t (note)"]
    assert "locks" not in found


@pytest.mark.slow
async def test_of_a_revision_that_failed(
    begun: Chain, launcher: Launcher, empty_database: Database, watcher: asyncpg.Connection
) -> None:
    """Those that had run, and were rolled back; the row's error tells of the last."""
    begun.add("op.execute('ALTER TABLE t ADD COLUMN n int')\nop.execute('SELECT nonsense')")
    done = await launcher.alembic(begun, "upgrade", "head", url=empty_database.url)
    assert done.code == 4, done.err
    found = await kept(watcher, "0002")
    assert sent(found) == ["ALTER TABLE t ADD COLUMN n int"]
    assert "locks" not in found


@pytest.mark.sample(3)
@pytest.mark.parametrize(
    "altered",
    [
        "details = jsonb_set(details, '{locks}', '[]')",
        "details = NULL",
        "details = NULL, requires_code = details::text",
    ],
)
async def test_they_are_in_the_hash_and_in_json(
    begun: Chain,
    launcher: Launcher,
    empty_database: Database,
    watcher: asyncpg.Connection,
    altered: str,
) -> None:
    """Whoever alters one of them by hand alters the row."""
    begun.add("op.execute('ALTER TABLE t ADD COLUMN n int')")
    await applied(begun, launcher, empty_database)
    listed = await launcher.surefoot(begun, "ledger", "--json", url=empty_database.url)
    (row,) = [each for each in json.loads(listed.out)["rows"] if each["revision"] == "0002"][:1]
    assert row["details"] == await kept(watcher, "0002")
    await watcher.execute(
        f"ALTER TABLE {LEDGER} DISABLE TRIGGER append_only; UPDATE {LEDGER} SET {altered} "
        "WHERE revision = '0002' AND outcome = 'applied'"
    )
    refused = await launcher.surefoot(begun, "ledger", url=empty_database.url)
    assert (refused.code, "ledger-edited" in refused.err) == (3, True), refused.err


@pytest.mark.slow
async def test_a_ledger_of_an_older_build(
    older: Chain, launcher: Launcher, empty_database: Database, watcher: asyncpg.Connection
) -> None:
    """It can be read as it is, and the next run adds the columns."""
    for words in (("ledger",), ("ledger", "--json"), ("status",)):
        read = await launcher.surefoot(older, *words, url=empty_database.url)
        assert read.code == 0, read.err
    verified = await launcher.surefoot(older, "verify", url=empty_database.url)
    assert "yes  ledger" in verified.out, verified
    older.add("op.execute('ALTER TABLE t ADD COLUMN n int')")
    await applied(older, launcher, empty_database)
    assert (await kept(watcher, "0002"))["locks"] == [{"mode": "ACCESS EXCLUSIVE", "table": "t"}]
    read = await launcher.surefoot(older, "ledger", url=empty_database.url)
    assert read.code == 0, read.err


@pytest.mark.slow
async def test_a_role_that_may_not_alter_an_older_ledger(
    older: Chain, launcher: Launcher, empty_database: Database, watcher: asyncpg.Connection
) -> None:
    """It is refused in one sentence, and nothing is written; reading needs no more than before."""
    older.add("op.execute('CREATE TABLE u (id int)')")
    role = f"{empty_database.name}_writer"
    await watcher.execute(
        f"CREATE ROLE {role} LOGIN; GRANT CREATE ON SCHEMA public TO {role};"
        f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {role}"
    )
    url = empty_database.url.replace("//tester@", f"//{role}@")
    read = await launcher.surefoot(older, "ledger", url=url)
    assert read.code == 0, read.err
    done = await launcher.alembic(older, "upgrade", "head", url=url)
    assert done.code == 2, done.err
    assert done.err.splitlines() == [
        f"ERROR [permission-missing]  {role!r} may not do this in {empty_database.name!r}: "
        f"must be owner of table {LEDGER}, and an older build has made it",
        "  help: grant it, or run the command as the role that owns the schema",
    ]
    assert await watcher.fetchval("SELECT to_regclass('u') IS NULL")
    await watcher.execute(f"DROP OWNED BY {role}; DROP ROLE {role}")


@pytest.mark.slow
async def test_offline_sql_for_a_ledger_of_an_older_build(
    older: Chain, launcher: Launcher, empty_database: Database, watcher: asyncpg.Connection
) -> None:
    """The script adds the columns; what it sends was not measured."""
    older.add("op.execute('CREATE TABLE u (id int)')")
    done = await launcher.alembic(older, "upgrade", "0001:head", "--sql", url=empty_database.url)
    psql(empty_database, done.out)
    assert await watcher.fetchval(KEPT, "0002") is None
    assert await watcher.fetchval("SELECT version_num FROM alembic_version") == "0002"


def psql(database: Database, script: str) -> None:
    found = find_binaries(None)
    assert found is not None
    program = [str(found.bindir / "psql"), "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", database.url]
    done = subprocess.run(program, input=script, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
