"""`surefoot status` on databases in every state: what it says was looked at."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from harness.databases import Database, connect, execute
from harness.runs import Chain, Launcher, Result
from surefoot.chain.lockfile import read_lock, with_known, write_lock
from surefoot.chain.revisions import read_revisions
from surefoot.run.locks import mutex
from surefoot.version_table import VersionTable

LATER = "op.execute('CREATE TABLE {} (id int)')"


@pytest.fixture
def sample(tmp_path: Path) -> Chain:
    """The sample, whose lock has fingerprints."""
    return Chain(tmp_path / "sample", of_project=True)


def grow(sample: Chain, *tables: str) -> None:
    """Add revisions, and keep the fingerprints of the lock."""
    for table in tables:
        sample.add(LATER.format(table), lock=False)
    known = with_known(read_revisions(sample.versions), read_lock(sample.lock_path))
    write_lock(sample.lock_path, known)


async def status(chain: Chain, database: Database, *arguments: str) -> Result:
    return await Launcher().surefoot(chain, "status", *arguments, url=database.url)


def timeless(text: str) -> list[str]:
    """The lines without times, durations and persons."""
    when = re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d +(?:< )?[\d.]+ s +\S+@\S+", "WHEN", text)
    return re.sub(r" {2,}", "  ", when).splitlines()


@pytest.mark.slow
async def test_a_database_at_head(sample: Chain, database: Database) -> None:
    """The newest revisions are shown, and --all shows all."""
    result = await status(sample, database, "--exit-code")
    assert (result.code, result.err) == (0, "")
    assert timeless(result.out) == [
        f"OK  {database.name}: at head 0008, no drift",
        "",
        "  STATE  REVISION  WHEN (UTC)  TOOK  BY  WHAT",
        "  applied  0004  WHEN  create job results",
        "  applied  0005  WHEN  create api keys",
        "  applied  0006  WHEN  create volume usage",
        "  applied  0007  WHEN  add missing since to files",
        "  applied  0008  WHEN  add scopes to api keys",
        "  and 3 older revisions: --all",
        "",
        "Next:  nothing to do",
    ]
    every = await status(sample, database, "--all")
    assert [line.split()[1] for line in every.out.splitlines() if "applied" in line] == [
        f"{number:04}" for number in range(1, 9)
    ]


@pytest.mark.slow
async def test_what_is_pending_is_listed_with_the_command_that_is_next(
    sample: Chain, database: Database
) -> None:
    """Exit code 1 is for who asks for it."""
    grow(sample, "a", "b")
    result = await status(sample, database)
    assert (result.code, result.err) == (0, "")
    said = timeless(result.out)
    assert said[0] == f"PENDING  {database.name}: 2 of 10 revisions pending, no drift"
    assert said[8:] == [
        "  pending  0009  change",
        "  pending  0010  change",
        "  and 3 older revisions: --all",
        "",
        "Next:  surefoot plan",
    ]
    assert (await status(sample, database, "--exit-code")).code == 1


@pytest.mark.slow
async def test_one_document_says_the_same(sample: Chain, database: Database) -> None:
    """The document of the page, and the words of the terminal; moments have their zone."""
    grow(sample, "a")
    result = await status(sample, database, "--json", "--exit-code")
    assert (result.code, result.err) == (1, "")
    found = json.loads(result.out)
    assert (found["schema_version"], found["state"], found["next"]) == (
        1,
        "pending",
        "surefoot plan",
    )
    assert [link["id"] for link in found["pending"]] == ["0009"]
    assert re.fullmatch(
        r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+\+00:00", found["chain"][0]["finished_at"]
    )
    assert (found["headline"]["state"], found["not_looked_at"]) == ("behind", {})


@pytest.mark.slow
async def test_drift_is_said_beside_what_is_pending(sample: Chain, database: Database) -> None:
    """At head it is the state itself."""
    await execute(database.url, "DROP INDEX ix_jobs_queue")
    at_head = await status(sample, database, "--exit-code")
    assert at_head.code == 0, at_head.err
    assert at_head.out.startswith(f"DRIFT  {database.name}: at head 0008, drift\n")
    assert "ATTENTION [database-drifted]  " in at_head.out
    assert at_head.out.endswith("Next:  surefoot drift\n")
    grow(sample, "a")
    behind = await status(sample, database)
    assert behind.out.startswith(f"PENDING  {database.name}: 1 of 9 revisions pending, drift\n")


@pytest.mark.slow
async def test_an_empty_database_and_one_with_tables_of_others(
    sample: Chain, empty_database: Database
) -> None:
    """Only one of them is for `alembic upgrade head`."""
    result = await status(sample, empty_database, "--exit-code")
    assert result.code == 1, result.err
    said = timeless(result.out)
    assert said[0] == f"EMPTY  {empty_database.name}: nothing is in it, 8 of 8 revisions pending"
    assert said[-1] == "Next:  alembic upgrade head"
    await execute(empty_database.url, "CREATE TABLE theirs (id int)")
    theirs = timeless((await status(sample, empty_database)).out)
    assert theirs[0] == (
        f"NOT ADOPTED  {empty_database.name}: it has objects, and no record of a revision; "
        "8 of 8 revisions pending"
    )
    assert any(line.startswith("ATTENTION [not-adopted]") for line in theirs)
    assert theirs[-1] == "Next:  surefoot ops adopt REV --reason …"


@pytest.mark.slow
async def test_a_project_without_revisions(chain: Chain, empty_database: Database) -> None:
    """Nothing is pending."""
    result = await status(chain, empty_database, "--exit-code")
    assert (result.code, result.out.splitlines()) == (
        0,
        [
            f"EMPTY  {empty_database.name}: the project has no revision yet",
            'Next:  alembic revision --autogenerate -m "…"',
        ],
    )


@pytest.mark.slow
async def test_plain_alembic_has_left_no_times(chain: Chain, empty_database: Database) -> None:
    """Without a ledger it is not known when a revision ran."""
    chain.add(LATER.format("a"))
    chain.add(LATER.format("b"))
    await execute(
        empty_database.url,
        "CREATE TABLE a (id int); CREATE TABLE alembic_version (version_num varchar(32));"
        "INSERT INTO alembic_version VALUES ('0001')",
    )
    said = timeless((await status(chain, empty_database)).out)
    assert said[0] == f"PENDING  {empty_database.name}: 1 of 2 revisions pending"
    assert said[3:5] == ["  applied  0001  change", "  pending  0002  change"]
    assert said[6] == (
        "Note:  drift was not looked at: revisions.lock has no comparable fingerprint for this "
        "revision; `surefoot drift` compares all the same"
    )


@pytest.mark.slow
async def test_a_database_inside_the_baseline(
    chain: Chain, empty_database: Database, launcher: Launcher
) -> None:
    """The lock has a fingerprint of its end alone, and `surefoot lock` adds no other."""
    chain.add(LATER.format("a"))
    chain.add(LATER.format("b"))
    url = empty_database.url
    for arguments in (("lock", "--baseline", "heads"), ("lock",)):
        assert (await launcher.surefoot(chain, *arguments, url=url)).code == 0
    assert (await launcher.alembic(chain, "upgrade", "0001", url=url)).code == 0
    said = (await status(chain, empty_database)).out
    assert "no comparable fingerprint for this revision; `surefoot drift` compares" in said
    compared = await launcher.surefoot(chain, "drift", url=url)
    assert (compared.code, compared.out.split()[0]) == (0, "OK"), compared.err
    assert (await launcher.alembic(chain, "upgrade", "head", url=url)).code == 0
    stamped = await launcher.alembic(chain, "stamp", "0001", url=url)
    assert stamped.code == 3
    assert stamped.err.endswith(
        "revisions.lock has no comparable fingerprint for it\n"
        "  help: `surefoot ops stamp 0001 --reason …` shows the difference first\n"
    ), stamped.err


@pytest.mark.slow
async def test_a_revision_that_failed(
    chain: Chain, empty_database: Database, launcher: Launcher
) -> None:
    """It is still pending, and says why it failed."""
    chain.add(LATER.format("a"))
    chain.add("op.execute('SELECT 1 / 0')")
    failed = await launcher.alembic(chain, "upgrade", "head", url=empty_database.url)
    assert failed.code == 4, failed.err
    said = timeless((await status(chain, empty_database)).out)
    assert said[0] == f"FAILED  {empty_database.name}: 0002 failed, 1 of 2 revisions pending"
    assert said[3:5] == ["  applied  0001  WHEN  change", "  failed  0002  WHEN  change"]
    assert any(line.startswith("ATTENTION [run-failed]  ") for line in said)
    assert said[-1] == "Next:  alembic upgrade head"


@pytest.mark.slow
async def test_a_run_that_is_at_work(chain: Chain, empty_database: Database) -> None:
    """Who has the mutex is at work on what is next."""
    chain.add(LATER.format("a"))
    holder = await connect(empty_database.url, "holder")
    await holder.execute("SELECT pg_advisory_lock($1)", mutex.key(VersionTable()))
    said = timeless((await status(chain, empty_database)).out)
    await holder.close()
    assert said[0] == f"RUNNING  {empty_database.name}: 0001 is at work, 1 of 1 revision pending"
    assert "Note:  drift was not looked at: not compared while a migration is running" in said
    assert said[-1] == "Next:  surefoot status, once it has ended"


CONTRADICTIONS: Mapping[str, tuple[str, str]] = {
    "unknown": (
        "UPDATE alembic_version SET version_num = 'ffff'",
        "it is at ffff, which neither this build nor its ledger knows",
    ),
    "ledger ahead": ("UPDATE alembic_version SET version_num = '0001'", "the ledger has 0002 too"),
}


@pytest.mark.sample(2)
@pytest.mark.parametrize("case", CONTRADICTIONS)
async def test_tables_that_contradict_each_other(
    chain: Chain, empty_database: Database, launcher: Launcher, case: str
) -> None:
    """The way on stands last; exit code 1 is for who asks for it."""
    chain.add(LATER.format("a"))
    chain.add(LATER.format("b"))
    done = await launcher.alembic(chain, "upgrade", "head", url=empty_database.url)
    assert done.code == 0, done.err
    sql, why = CONTRADICTIONS[case]
    await execute(empty_database.url, sql)
    result = await status(chain, empty_database, "--exit-code")
    first, *_, last = result.out.splitlines()
    assert result.code == 1
    assert first.startswith("DIVERGED  database ")
    assert why in first
    assert last.startswith("Next:  ")
    assert (await status(chain, empty_database)).code == 0


@pytest.mark.slow
async def test_a_database_of_a_newer_build(
    chain: Chain, empty_database: Database, launcher: Launcher
) -> None:
    """An expand revision leaves this build what it needs, a contract revision does not."""
    chain.add(LATER.format("a"))
    newer = chain.add(LATER.format("b"))
    done = await launcher.alembic(chain, "upgrade", "head", url=empty_database.url)
    assert done.code == 0, done.err
    chain.path(newer).unlink()
    chain.lock()
    result = await status(chain, empty_database, "--exit-code")
    assert result.code == 0, result.err
    said = timeless(result.out)
    assert said[0].startswith(f"AHEAD  database '{empty_database.name}' is ahead of 0001: 0002")
    assert said[4] == "  applied  0002  WHEN  not in this build"
    # `surefoot drift` refuses such a database, so it is not named.
    assert said[6] == (
        "Note:  drift was not looked at: the database has revisions that this build does not know"
    )
    assert said[-1] == "Next:  nothing to do"


async def test_a_database_that_does_not_answer(chain: Chain) -> None:
    """An error, and no state."""
    chain.add(LATER.format("a"))
    nobody = Database("nothing", "postgresql://nobody@127.0.0.1:1/nothing")
    result = await status(chain, nobody)
    assert (result.code, result.out) == (75, "")
    assert result.err.startswith("ERROR [database-unreachable]  database 'nothing' at 127.0.0.1:1")


@pytest.mark.slow
async def test_a_role_that_may_read_both_tables_is_enough(
    sample: Chain, database: Database
) -> None:
    """It says all that the owner is told."""
    role, tables = f"reads_{database.name}", "alembic_version, alembic_version_ledger"
    await execute(database.url, f"CREATE ROLE {role} LOGIN; GRANT SELECT ON {tables} TO {role}")
    reader = Database(database.name, database.url.replace("://tester@", f"://{role}@"))
    assert await status(sample, reader) == await status(sample, database)
    await execute(database.url, f"DROP OWNED BY {role}; DROP ROLE {role}")


@pytest.mark.slow
async def test_an_edited_file_without_its_lock(chain: Chain, empty_database: Database) -> None:
    """The files count, and the lock is said to be outdated."""
    chain.add(LATER.format("a"))
    chain.add(LATER.format("b"), lock=False)
    result = await status(chain, empty_database)
    assert result.code == 0
    assert "[lock-file-stale]" in result.err
    assert "2 of 2 revisions pending" in result.out
    chain.lock_path.unlink()
    without = await status(chain, empty_database)
    assert without.err.startswith("WARNING [lock-file-missing]  there is no ")
    assert without.out == result.out
