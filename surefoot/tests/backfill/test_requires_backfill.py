"""A revision that requires a backfill is refused until it is complete, and no row is left."""

from __future__ import annotations

import json

import asyncpg
import pytest

from harness.backfills import Filling
from harness.commands import psql, psql_refused
from harness.databases import Databases
from harness.runs import Chain, Launcher
from surefoot import errors
from surefoot.chain.backfills import check_backfills

CONTRACT = """
op.execute("ALTER TABLE files ADD CHECK (wide IS NOT NULL) NOT VALID")
"""


@pytest.fixture
def contracting(filling: Filling) -> Filling:
    """With a backfill, and a contract revision that is pending and requires it."""
    filling.widen()
    requiring(filling.chain, filling.chain.add(CONTRACT, phase="contract"))
    return filling


def requiring(chain: Chain, revision: str, backfill: str = "wide") -> None:
    """Let a revision require a backfill."""
    path = chain.path(revision)
    text = path.read_text("utf-8").replace("phase =", f"requires_backfill = {backfill!r}\nphase =")
    path.write_text(text, "utf-8")
    chain.lock()


def fill_again(filling: Filling) -> None:
    """Add a revision that adds a column, its backfill, and a revision that requires it."""
    added = filling.chain.add(
        'op.execute("ALTER TABLE files ADD again int")',
        'op.execute("ALTER TABLE files DROP again")',
    )
    filling.write(
        "again",
        f"""
        after = {added!r}
        table = "files"
        todo = "again IS NULL"
        sets = {{"again": "size"}}
        """,
    )
    requiring(filling.chain, filling.chain.add("op.execute('SELECT 1')"), "again")


@pytest.mark.slow
async def test_refused_until_it_is_complete(contracting: Filling, launcher: Launcher) -> None:
    """Nothing is changed, and the message names the commands in their order."""
    url = contracting.database.url
    refused = await launcher.alembic(contracting.chain, "upgrade", "head", url=url)
    assert refused.code == 3, refused.err
    assert "0002 requires the backfill wide, and it has not run" in refused.err
    assert "surefoot backfill run wide --execute" in refused.err
    await contracting.run(until=lambda _: True, batch_s=0.001)
    await contracting.run()
    passed = await launcher.alembic(contracting.chain, "upgrade", "head", url=url)
    assert passed.code == 0, passed.err


@pytest.mark.slow
async def test_refused_where_rows_are_left(contracting: Filling, launcher: Launcher) -> None:
    """A backfill that was complete is not, once a row matches its filter again."""
    await contracting.run()
    await contracting.connection.execute("UPDATE files SET wide = NULL WHERE id = 7")
    refused = await launcher.alembic(
        contracting.chain, "upgrade", "head", url=contracting.database.url
    )
    assert (refused.code, "match its filter again" in refused.err) == (3, True), refused.err


@pytest.mark.slow
async def test_refused_where_its_code_was_another_one(
    contracting: Filling, launcher: Launcher
) -> None:
    """Its rows have the values of the former code: the next revision may drop their source."""
    await contracting.run()
    contracting.widen(sets={"wide": "size + 1"})
    contracting.chain.lock()
    url = contracting.database.url
    refused = await launcher.alembic(contracting.chain, "upgrade", "head", url=url)
    assert (refused.code, "backfill-edited" in refused.err) == (3, True), refused.err
    cancel = ("backfill", "cancel", "wide", "--execute")
    await launcher.alembic(contracting.chain, *cancel, url=url, program="surefoot")
    await contracting.run()
    passed = await launcher.alembic(contracting.chain, "upgrade", "head", url=url)
    assert passed.code == 0, passed.err


@pytest.mark.slow
async def test_offline_sql_is_refused_by_the_database(
    contracting: Filling, launcher: Launcher
) -> None:
    """The script asks where it runs: nobody else looks at the rows then."""
    url = contracting.database.url
    connection = contracting.connection

    async def script() -> str:
        written = await launcher.alembic(
            contracting.chain, "upgrade", "0001:head", "--sql", url=url
        )
        assert written.code == 0, written.err
        return written.out

    before = await script()
    refused = psql_refused(contracting.database, before)
    assert "0002 requires the backfill wide, and rows of files lack its change" in refused
    assert "surefoot backfill run wide --execute" in refused
    await contracting.run()
    await connection.execute("UPDATE files SET wide = NULL WHERE id = 7")
    assert "rows of files lack its change" in psql_refused(contracting.database, before)
    await contracting.run()
    contracting.widen(sets={"wide": "size + 1"})
    contracting.chain.lock()
    assert "it was edited" in psql_refused(contracting.database, await script())
    assert await connection.fetchval("SELECT version_num FROM alembic_version") == "0001"
    psql(contracting.database, before)
    assert await connection.fetchval("SELECT version_num FROM alembic_version") == "0002"


@pytest.mark.slow
@pytest.mark.parametrize(("is_complete", "offline"), [(True, False), (False, False), (True, True)])
async def test_a_reverted_revision_forgets_its_backfill(
    filling: Filling, launcher: Launcher, is_complete: bool, offline: bool
) -> None:
    """The column comes again without its values; other backfills stay as they are."""
    filling.widen()
    await filling.run()
    fill_again(filling)
    url, connection = filling.database.url, filling.connection
    done = await launcher.alembic(filling.chain, "upgrade", "0002", url=url)
    assert done.code == 0, done.err
    until = None if is_complete else (lambda _: True)
    await filling.run("again", until=until, batch_s=0.001)
    goal = ("0002:0001", "--sql") if offline else ("0001",)
    done = await launcher.alembic(filling.chain, "downgrade", *goal, url=url)
    assert done.code == 0, done.err
    if offline:
        psql(filling.database, done.out)
    names = await connection.fetch("SELECT name FROM alembic_version_backfills")
    assert [each["name"] for each in names] == ["wide"]
    done = await launcher.alembic(filling.chain, "upgrade", "0002", url=url)
    assert done.code == 0, done.err
    refused = await launcher.alembic(filling.chain, "upgrade", "head", url=url)
    assert (refused.code, "it has not run" in refused.err) == (3, True), refused.err


@pytest.mark.slow
async def test_an_empty_table_needs_none(contracting: Filling, launcher: Launcher) -> None:
    """There is nothing to change."""
    await contracting.connection.execute("TRUNCATE files")
    url = contracting.database.url
    passed = await launcher.alembic(contracting.chain, "upgrade", "head", url=url)
    assert passed.code == 0, passed.err


@pytest.mark.slow
async def test_a_table_that_is_not_there(contracting: Filling, launcher: Launcher) -> None:
    """It is no empty table: its name may be wrong."""
    contracting.widen(table="filez")
    url = contracting.database.url
    refused = await launcher.alembic(contracting.chain, "upgrade", "head", url=url)
    assert (refused.code, "there is no table filez" in refused.err) == (3, True), refused.err


@pytest.mark.slow
async def test_rows_that_the_role_does_not_see(contracting: Filling, launcher: Launcher) -> None:
    """A table that shows no row is not taken for an empty one."""
    await contracting.connection.execute(
        "CREATE ROLE blind_migrator LOGIN; GRANT ALL ON SCHEMA public TO blind_migrator; "
        "GRANT ALL ON ALL TABLES IN SCHEMA public TO blind_migrator; "
        "ALTER TABLE files ENABLE ROW LEVEL SECURITY"
    )
    url = contracting.database.url.replace("tester@", "blind_migrator@")
    try:
        refused = await launcher.alembic(contracting.chain, "upgrade", "head", url=url)
        assert (refused.code, "backfill-rows-hidden" in refused.err) == (3, True), refused.err
        assert "for whom FORCE ROW LEVEL SECURITY has to be off\n" in refused.err
    finally:
        gone = "DROP OWNED BY blind_migrator; DROP ROLE blind_migrator"
        await contracting.connection.execute(gone)


@pytest.mark.slow
async def test_a_fresh_database(
    contracting: Filling, launcher: Launcher, databases: Databases
) -> None:
    """All revisions run at once, where no table has rows."""
    made = await databases.empty()
    passed = await launcher.alembic(contracting.chain, "upgrade", "head", url=made.url)
    assert passed.code == 0, passed.err


@pytest.mark.slow
async def test_rows_and_both_revisions_pending(
    contracting: Filling, launcher: Launcher, databases: Databases
) -> None:
    """The revision that the backfill needs comes first, by itself."""
    made = await databases.empty()
    await launcher.alembic(contracting.chain, "upgrade", "head", url=made.url)
    connection = await asyncpg.connect(made.url)
    await connection.execute(
        "INSERT INTO files VALUES (1, 1, 1); UPDATE alembic_version SET version_num = '0002'"
    )
    await connection.close()
    fill_again(contracting)
    refused = await launcher.alembic(contracting.chain, "upgrade", "head", url=made.url)
    assert refused.code == 3, refused.err
    assert "`surefoot upgrade 0003`, then `surefoot backfill run again" in refused.err


@pytest.mark.slow
async def test_a_table_that_the_same_run_renames(filling: Filling, launcher: Launcher) -> None:
    """It is not there yet and has rows, so the backfill comes between; a new table needs none."""
    chain, url = filling.chain, filling.database.url
    again = "op.execute('CREATE TABLE papers (id int)')"
    chain.add("op.execute('DROP TABLE IF EXISTS papers')", again, phase="contract")
    chain.add("op.rename_table('files', 'papers')")
    chain.add("op.execute('CREATE TABLE fresh (id int PRIMARY KEY, wide int)')")
    for name, table in (("wide_papers", "papers"), ("wide_fresh", "fresh")):
        filling.write(
            name,
            f"""
            after = "0004"
            table = "{table}"
            todo = "wide IS NULL"
            sets = {{"wide": "id"}}
            """,
        )
        requiring(chain, chain.add(f"op.alter_column('{table}', 'wide', nullable=False)"), name)
    refused = await launcher.alembic(chain, "upgrade", "head", url=url)
    assert refused.code == 3, refused.err
    assert "0005 requires the backfill wide_papers, and there is no table papers" in refused.err
    assert "`surefoot upgrade 0004`, then `surefoot backfill run wide_papers" in refused.err
    done = await launcher.surefoot(chain, "upgrade", "--run-backfills", url=url)
    assert done.code == 0, done.err
    assert await filling.left("wide IS NULL", table="papers") == 0


@pytest.mark.slow
async def test_all_in_one_command(contracting: Filling, launcher: Launcher) -> None:
    """Expand, fill and contract; also where the expand revision is pending."""
    url = contracting.database.url
    fill_again(contracting)
    arguments = ("upgrade", "--run-backfills", "--json")
    done = await launcher.surefoot(contracting.chain, *arguments, url=url)
    assert done.code == 0, done.err
    *told, report = [json.loads(line) for line in done.out.splitlines()]
    assert [each["revision"] for each in report["steps"]] == ["0002", "0003", "0004"]
    assert {"revision_done", "walked", "done"} <= {each["event"] for each in told}
    assert await contracting.left("wide IS NULL OR again IS NULL") == 0


@pytest.mark.slow
async def test_a_relative_destination(contracting: Filling, launcher: Launcher) -> None:
    """It leads no further where a part of the upgrade comes before the backfill."""
    url, chain = contracting.database.url, contracting.chain
    fill_again(contracting)
    chain.add("op.execute('CREATE TABLE later ()')")
    await contracting.run()
    refused = await launcher.alembic(chain, "upgrade", "+3", url=url)
    assert refused.code == 3, refused.err
    assert "`surefoot upgrade 0003`, then `surefoot backfill run again --execute`, then " in (
        refused.err
    )
    assert "then `surefoot upgrade 0004`; `surefoot upgrade --run-backfills`" in refused.err
    done = await launcher.surefoot(chain, "upgrade", "+3", "--run-backfills", url=url)
    assert done.code == 0, done.err
    version = await contracting.connection.fetchval("SELECT version_num FROM alembic_version")
    assert version == "0004"


@pytest.mark.slow
@pytest.mark.parametrize("how", ["alembic", "at once"])
async def test_a_value_that_nobody_wrote(
    contracting: Filling, launcher: Launcher, how: str
) -> None:
    """Nothing runs before it, and no other backfill either."""
    fill_again(contracting)
    path = contracting.chain.lock_path.with_name("backfills") / "again.py"
    path.write_text(path.read_text("utf-8").replace('"size"', "..."), "utf-8")
    url = contracting.database.url
    if how == "alembic":
        refused = await launcher.alembic(contracting.chain, "upgrade", "head", url=url)
    else:
        refused = await launcher.surefoot(contracting.chain, "upgrade", "--run-backfills", url=url)
    assert refused.code == 2, refused.err
    assert "the value of again is yours to write in" in refused.err
    assert "FILL" not in refused.err
    assert await contracting.left("wide IS NOT NULL") == 0
    version = await contracting.connection.fetchval("SELECT version_num FROM alembic_version")
    assert version == "0001"


@pytest.mark.slow
async def test_a_name_that_is_wrong(filling: Filling, launcher: Launcher) -> None:
    """The nearest is named."""
    filling.widen()
    requiring(filling.chain, filling.chain.add("op.execute('SELECT 1')"), "wid")
    refused = await launcher.alembic(filling.chain, "upgrade", "head", url=filling.database.url)
    assert (refused.code, "did you mean 'wide'?" in refused.err) == (2, True), refused.err


async def test_the_lock_has_the_code(contracting: Filling) -> None:
    """A file that was edited after the lock was written is told, and does not run."""
    check_backfills(contracting.chain.lock_path)
    contracting.widen(sets={"wide": "size + 1"}, lock=False)
    with pytest.raises(errors.LockFileStale, match="the backfill wide was edited"):
        await contracting.run()


async def test_the_lock_is_checked_for_the_revision_of_a_backfill(
    filling: Filling, launcher: Launcher
) -> None:
    """One that no file has would be refused only as the backfill runs."""
    filling.widen(after="0009")
    checked = await launcher.surefoot(filling.chain, "lock", "--check", url=filling.database.url)
    assert checked.code == 2, checked.err
    assert "wide.py" in checked.err
    assert "the project has no revision 0009 (`after`)" in checked.err


@pytest.mark.slow
async def test_lint_sees_the_rows_as_they_will_be(contracting: Filling, launcher: Launcher) -> None:
    """On the scratch database the backfill runs before the revision that requires it."""
    contracting.chain.add(
        'op.execute("ALTER TABLE files VALIDATE CONSTRAINT files_wide_check")', phase="contract"
    )
    linted = await launcher.surefoot(
        contracting.chain, "lint", "0003", url=contracting.database.url
    )
    assert "on the scratch database" not in linted.err, linted.err


@pytest.mark.slow
async def test_lint_sees_that_the_sql_is_wrong(filling: Filling, launcher: Launcher) -> None:
    """Also where the scratch table has no rows."""
    filling.widen(sets={"wide": "sise"})
    requiring(filling.chain, filling.chain.add("op.execute('SELECT 1')"))
    linted = await launcher.surefoot(filling.chain, "lint", "0002", url=filling.database.url)
    assert linted.code == 4, linted.err
    assert "wide stopped: column" in linted.err
