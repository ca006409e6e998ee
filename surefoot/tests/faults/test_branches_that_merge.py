"""A database may be between the branches of a chain that a later revision merges."""

from __future__ import annotations

import pytest

from harness.databases import Database
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
    """Each command is told with all rows, and with the command that leads back if there is one."""
    for command, said in (
        (("upgrade", "2"), ("2 revisions, base to 2", "Undo: alembic downgrade base")),
        (("upgrade", "3"), ("1 revision, 2 to 2, 3", "It was at 2")),
        (("upgrade", "head"), ("2 revisions, 2, 3 to 5", "It was at 2, 3")),
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
async def test_branches_are_tried_and_compared_on_the_scratch_database(
    branches: Chain, launcher: Launcher, empty_database: Database
) -> None:
    """Every revision gets a verdict; a fingerprint where the database is at that revision alone."""
    url = empty_database.url
    locked = await launcher.surefoot(branches, "lock", url=url)
    assert locked.code == 0, locked.err
    revisions = read_lock(branches.lock_path)
    assert {revision.id: revision.verdict for revision in revisions} == dict.fromkeys(
        "12345", "clean"
    )
    assert [r.id for r in revisions if r.fingerprint is None] == ["3", "4"]
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
