"""A database that plain Alembic has migrated, and the first run on it."""

from __future__ import annotations

import re

import asyncpg
import pytest

from harness.databases import Database, Databases
from harness.runs import Chain, Launcher

ROWS = "SELECT revision, direction, outcome FROM alembic_version_ledger ORDER BY id"
LEFT = "SELECT to_regclass('alembic_version_ledger') IS NULL AND to_regprocedure($1) IS NULL"
GUARD = "alembic_version_ledger_append_only()"


@pytest.fixture
async def plain(chain: Chain, empty_database: Database, watcher: asyncpg.Connection) -> Chain:
    """Five revisions up to the baseline; the database is at the third, by plain Alembic."""
    for number in range(1, 6):
        chain.add(f"op.execute('CREATE TABLE t{number} (id int)')", f"op.drop_table('t{number}')")
    chain.lock(baseline=["0005"])
    await watcher.execute(
        "CREATE TABLE t1 (id int); CREATE TABLE t2 (id int); CREATE TABLE t3 (id int);"
        "CREATE TABLE alembic_version (version_num varchar(32) PRIMARY KEY);"
        "INSERT INTO alembic_version VALUES ('0003')"
    )
    return chain


async def reach_head(watcher: asyncpg.Connection) -> None:
    await watcher.execute(
        "CREATE TABLE t4 (id int); CREATE TABLE t5 (id int);"
        "UPDATE alembic_version SET version_num = '0005'"
    )


async def rows(watcher: asyncpg.Connection) -> list[tuple[str, str, str]]:
    return [tuple(row) for row in await watcher.fetch(ROWS)]


@pytest.mark.sample(4)
@pytest.mark.parametrize("goal", ["head", "heads", "0005", "0003"])
async def test_it_is_adopted_at_head(
    plain: Chain,
    launcher: Launcher,
    empty_database: Database,
    watcher: asyncpg.Connection,
    goal: str,
) -> None:
    """The ledger begins where the database stands, and the next run has nothing to do."""
    await reach_head(watcher)
    url = empty_database.url
    done = await launcher.alembic(plain, "upgrade", goal, url=url)
    assert done.code == 0, done.err
    name = empty_database.name
    assert done.err.startswith(
        f"ADOPT  {name}: the ledger begins at 0005, with 5 revisions as adopted\n"
    )
    assert f"\nOK  {name} is at head 0005. Nothing to do." in done.err
    assert await rows(watcher) == [(f"000{n}", "upgrade", "adopted") for n in range(1, 6)]
    again = await launcher.alembic(plain, "upgrade", goal, url=url)
    assert (again.code, again.err.startswith("OK  ")) == (0, True), again.err
    assert len(await rows(watcher)) == 5
    verified = await launcher.surefoot(plain, "ledger", url=url)
    assert verified.code == 0, verified.err
    # No revision ran, so none took any time.
    assert re.findall(r"000\d +(\S+) +\S+@", verified.out) == ["-"] * 5
    seen = await launcher.surefoot(plain, "status", url=url)
    assert len(re.findall(r"applied +000\d +[-\d]+ [:\d]+ +\S+@", seen.out)) == 5, seen.out


@pytest.mark.sample(2)
@pytest.mark.parametrize("at_head", [True, False], ids=["at head", "two before"])
async def test_two_at_once_adopt_it_once(
    plain: Chain,
    launcher: Launcher,
    empty_database: Database,
    watcher: asyncpg.Connection,
    *,
    at_head: bool,
) -> None:
    """One writes the ledger, and both end well."""
    if at_head:
        await reach_head(watcher)
    runs = await launcher.start_many(plain, "upgrade", "head", count=2, url=empty_database.url)
    results = [await run.end() for run in runs]
    assert [each.code for each in results] == [0, 0], results
    assert sum(each.err.count("ADOPT  ") for each in results) == 1
    adopted = 5 if at_head else 3
    assert [row for row in await rows(watcher) if row[2] != "measured"] == [
        (f"000{n}", "upgrade", "adopted" if n <= adopted else "applied") for n in range(1, 6)
    ]


@pytest.mark.slow
async def test_an_empty_one_has_nothing_to_adopt(
    plain: Chain, launcher: Launcher, databases: Databases, watcher: asyncpg.Connection
) -> None:
    """Every revision is applied, and nothing is said of an adoption."""
    made = await databases.empty()
    done = await launcher.alembic(plain, "upgrade", "head", url=made.url)
    assert (done.code, "ADOPT" in done.err) == (0, False), done.err
    await databases.drop(made)


@pytest.mark.slow
@pytest.mark.parametrize("at_head", [True, False], ids=["at head", "two before"])
async def test_a_role_that_may_not_make_the_ledger_is_refused(
    plain: Chain,
    launcher: Launcher,
    empty_database: Database,
    watcher: asyncpg.Connection,
    *,
    at_head: bool,
) -> None:
    """One sentence, and nothing is written."""
    if at_head:
        await reach_head(watcher)
    role = f"{empty_database.name}_reader"
    await watcher.execute(
        f"CREATE ROLE {role} LOGIN;"
        f"GRANT SELECT, INSERT, UPDATE, DELETE ON alembic_version TO {role}"
    )
    url = empty_database.url.replace("//tester@", f"//{role}@")
    done = await launcher.alembic(plain, "upgrade", "head", url=url)
    assert done.code == 2, done.err
    assert done.err.splitlines() == [
        f"ERROR [permission-missing]  {role!r} may not do this in {empty_database.name!r}: "
        "permission denied for schema public, so there is no alembic_version_ledger",
        "  help: grant it, or run the command as the role that owns the schema",
    ]
    assert await watcher.fetchval(LEFT, GUARD)
    assert await watcher.fetchval("SELECT to_regclass('t5') IS NULL") is not at_head
    await watcher.execute(f"DROP OWNED BY {role}; DROP ROLE {role}")
