"""A database may be between the branches of a chain that a later revision merges."""

from __future__ import annotations

import pytest

from harness.commands import psql
from harness.databases import Database, Databases, occupy, value
from harness.runs import Chain, Launcher
from surefoot.chain.lockfile import read_lock


@pytest.fixture
def branches(chain: Chain) -> Chain:
    """2 and 3 build on 1, 4 builds on 3, and 5 on 2 and 4."""
    for number, down in (("1", ""), ("2", "1"), ("3", "1"), ("4", "3"), ("5", "2")):
        up, undo = f"op.execute('CREATE TABLE t{number} ()')", f"op.execute('DROP TABLE t{number}')"
        chain.add(up, undo, identifier=number, down=down, lock=False)
    merge = chain.path("5")
    text = merge.read_text("utf-8").replace("down_revision = '2'", "down_revision = ('2', '4')")
    merge.write_text(text, "utf-8")
    chain.lock()
    return chain


@pytest.mark.slow
async def test_a_run_ends_where_the_rows_of_all_branches_are(
    branches: Chain, launcher: Launcher, empty_database: Database
) -> None:
    """Each command is told with all rows, and with the command that leads back if there is one.

    After a merge that is the branch of which the run has applied more.
    """
    for command, said in (
        (("upgrade", "2"), ("2 revisions, base to 2", "Undo: alembic downgrade base")),
        (("upgrade", "3"), ("1 revision, 2 to 2, 3", "It was at 2")),
        (("upgrade", "head"), ("2 revisions, 2, 3 to 5", "Undo: alembic downgrade 3")),
        (("downgrade", "3"), ("2 revisions, 5 to 2, 3", "Redo: alembic upgrade 5")),
        (("upgrade", "head"), ("2 revisions, 2, 3 to 5", "Undo: alembic downgrade 3")),
        (("downgrade", "4"), ("1 revision, 5 to 2, 4", "Redo: alembic upgrade 5")),
        (("downgrade", "1"), ("3 revisions, 2, 4 to 1", "It was at 2, 4")),
        (("upgrade", "2"), ("1 revision, 1 to 2", "Undo: alembic downgrade 1")),
        (("upgrade", "5"), ("3 revisions, 2 to 5", "It was at 2")),
    ):
        done = await launcher.alembic(branches, *command, url=empty_database.url)
        assert done.code == 0, done.err
        first, *_, last = done.err.splitlines()
        assert (first.partition(": ")[2], last.partition(" s. ")[2]) == said


@pytest.mark.slow
async def test_the_commands_of_a_message_name_all_rows(
    branches: Chain, launcher: Launcher, empty_database: Database
) -> None:
    """A database between the branches is adopted by the command that the refusal prints."""
    url = empty_database.url
    for to in ("2", "4"):
        done = await launcher.alembic(branches, "upgrade", to, url=url)
        assert done.code == 0, done.err
    psql(empty_database, "DELETE FROM alembic_version")
    refused = await launcher.alembic(branches, "upgrade", "head", url=url)
    assert "`surefoot ops adopt 2 4 --reason …`" in refused.err, refused.err
    adopt = ("ops", "adopt", "2", "4", "--reason", "emptied by hand")
    shown = await launcher.surefoot(branches, *adopt, url=url)
    assert shown.err == (
        "0 differences between the database and the schema of 2, 4\n"
        "Next: surefoot ops adopt 2 4 --reason … --execute\n"
    )
    done = await launcher.surefoot(branches, *adopt, "--execute", url=url)
    assert done.code == 0, done.err
    current = await launcher.alembic(branches, "current", url=url)
    assert sorted(current.out.split()) == ["2", "4"]
    stamped = await launcher.alembic(branches, "stamp", "2", "4", url=url)
    assert "is at 2, 4. Nothing to do" in stamped.err, stamped.err


@pytest.mark.slow
async def test_a_revision_builds_on_what_it_depends_on(
    chain: Chain, launcher: Launcher, empty_database: Database, databases: Databases
) -> None:
    """The version table does not name what another of its revisions depends on."""
    for number, down in (("1", ""), ("2", "1"), ("b1", ""), ("b2", "b1"), ("3", "2")):
        up, undo = f"op.execute('CREATE TABLE t{number} ()')", f"op.execute('DROP TABLE t{number}')"
        chain.add(up, undo, identifier=number, down=down, lock=False)
    label = "revision = 'b1'\nbranch_labels = ('side',)\n"
    for number, old, new in (
        ("b1", "revision = 'b1'\n", label),
        ("2", "revision = '2'\n", "revision = '2'\ndepends_on = 'side'\n"),
        ("3", "down_revision = '2'", "down_revision = ('2', 'b2')"),
    ):
        text = chain.path(number).read_text("utf-8")
        assert old in text
        chain.path(number).write_text(text.replace(old, new), "utf-8")
    chain.lock()
    assert {r.id: r.down for r in read_lock(chain.lock_path)}["2"] == ("1", "b1")
    offline = await databases.empty()
    url = empty_database.url
    for command, rows in (("upgrade 2", "2"), ("upgrade head", "3"), ("downgrade 2", "2 b2")):
        done = await launcher.alembic(chain, *command.split(), url=url)
        assert done.code == 0, done.err
        found = "SELECT string_agg(version_num, ' ' ORDER BY version_num) FROM alembic_version"
        assert await value(url, found) == rows
    again = await launcher.alembic(chain, "upgrade", "head", url=url)
    assert again.code == 0, again.err
    for asked in ("2", "2:head"):
        written = await launcher.alembic(chain, "upgrade", asked, "--sql", url=url)
        psql(offline, written.out)
    nothing = await launcher.alembic(chain, "upgrade", "head", url=offline.url)
    assert (nothing.code, "Nothing to do" in nothing.err) == (0, True), nothing.err


@pytest.mark.slow
async def test_branches_are_tried_and_compared_on_the_scratch_database(
    branches: Chain, launcher: Launcher, empty_database: Database
) -> None:
    """Every revision gets a verdict; a fingerprint, once, where no branch is beside it."""
    url = empty_database.url
    locked = await launcher.surefoot(branches, "lock", url=url)
    assert locked.code == 0, locked.err
    revisions = read_lock(branches.lock_path)
    assert {revision.id: revision.verdict for revision in revisions} == dict.fromkeys(
        "12345", "clean"
    )
    assert [r.id for r in revisions if r.fingerprint is None] == ["2", "3", "4"]
    # Nothing is left to be tried.
    nowhere = "postgresql://nobody@127.0.0.1:1/nowhere"
    again = await launcher.surefoot(branches, "lock", url=nowhere)
    assert (again.code, again.err) == (0, "OK  revisions.lock was up to date: 5 revisions\n")
    for chosen in (("2", "3"), ("5",)):
        linted = await launcher.surefoot(branches, "lint", *chosen, url=url)
        assert (linted.code, linted.out) == (0, ""), linted.out
    for revision in "23":
        done = await launcher.alembic(branches, "upgrade", revision, url=url)
        assert done.code == 0, done.err
    compared = await launcher.surefoot(branches, "drift", url=url)
    assert compared.code == 0, compared.err
    planned = await launcher.surefoot(branches, "plan", url=url)
    assert (planned.code, "4" in planned.out) == (0, True), planned.err


@pytest.mark.slow
@pytest.mark.parametrize("gone", ["2", "4"])
async def test_a_merge_that_takes_a_row_of_a_branch_away_is_undone(
    branches: Chain, launcher: Launcher, empty_database: Database, gone: str
) -> None:
    """Each row that it replaces has to be there, whichever of them."""
    await occupy(empty_database)
    merge = branches.path("5")
    delete = f"op.execute(\"DELETE FROM alembic_version WHERE version_num = '{gone}'\")"
    text = merge.read_text("utf-8").replace("op.execute('CREATE TABLE t5 ()')", delete)
    merge.write_text(text, "utf-8")
    branches.lock()
    done = await launcher.alembic(branches, "upgrade", "head", url=empty_database.url)
    assert (done.code, "alembic_version is not at 2, 4 any more" in done.err) == (4, True), done.err
    rows = "SELECT string_agg(version_num, ' ' ORDER BY version_num) FROM alembic_version"
    assert await value(empty_database.url, rows) == "2 4"
