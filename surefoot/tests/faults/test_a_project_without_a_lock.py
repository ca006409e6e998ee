"""Without revisions.lock the environment works, and says once which file is missing."""

from __future__ import annotations

import logging
import shutil

import asyncpg
import pytest

from harness.databases import Database, access_to, engine
from harness.runs import Chain, Launcher
from surefoot.errors import RevisionsBroken
from surefoot.project import Project
from surefoot.startup.check import check

TABLE = "op.execute('CREATE TABLE t (id int)')", "op.execute('DROP TABLE t')"
PRODUCTION = """
from dataclasses import replace

from harness.environment import database
from surefoot import Environment, Limits


def of_production():
    return replace(database(), limits=Limits(production=True))

Environment(metadata="sample.models:metadata", database=of_production).run()
"""


@pytest.fixture
def unlocked(chain: Chain) -> Chain:
    """Two revisions, and no lock."""
    chain.add(*TABLE)
    chain.add("op.execute('INSERT INTO t VALUES (1)')", "op.execute('DELETE FROM t')")
    chain.lock_path.unlink()
    return chain


@pytest.mark.slow
async def test_every_command_of_alembic_works(
    unlocked: Chain, launcher: Launcher, empty_database: Database, watcher: asyncpg.Connection
) -> None:
    """Each says in one line that there is no lock, and none writes one."""
    missing = (
        f"WARNING [lock-file-missing]  there is no {unlocked.lock_path.resolve()}, so no revision "
        "is judged: `surefoot lock --baseline heads` writes it\n"
    )
    for command, said in (
        ("upgrade head", "OK  2 applied"),
        ("upgrade head", "Nothing to do"),
        ("downgrade -1", "OK  1 reverted"),
        ("stamp 0002", "it is not known whether the schema"),
        ("current", "0002 (head)"),
        ("history", "applied  0002"),
        ("check", "[models-differ]"),
        ("upgrade head --sql", "INSERT INTO t VALUES (1)"),
        ("revision -m later", "_later.py written. Review, then: alembic upgrade head"),
    ):
        done = await launcher.alembic(unlocked, *command.split(), url=empty_database.url)
        assert done.code == (1 if command == "check" else 0), (command, done.err)
        assert done.err.count(missing) == 1, (command, done.err)
        assert said in done.out + done.err, (command, done.err)
        assert not unlocked.lock_path.exists()
    checksums = "SELECT array_agg(DISTINCT length(checksum)) FROM alembic_version_ledger"
    assert await watcher.fetchval(f"{checksums} WHERE outcome <> 'measured'") == [64]


@pytest.mark.slow
@pytest.mark.parametrize("command", ["lint", "plan"])
async def test_a_preview_works(
    unlocked: Chain, launcher: Launcher, empty_database: Database, command: str
) -> None:
    """It judges the files as they are."""
    done = await launcher.surefoot(unlocked, command, url=empty_database.url)
    assert (done.code, "0 errors" in done.err + done.out) == (0, True), done.err


@pytest.mark.slow
async def test_no_revision_is_no_chain(
    chain: Chain, launcher: Launcher, empty_database: Database
) -> None:
    """The folder may be the wrong one. The first revision writes the lock."""
    chain.lock_path.unlink()
    refused = await launcher.alembic(chain, "upgrade", "head", url=empty_database.url)
    assert (refused.code, refused.err) == (
        2,
        f"ERROR [revisions-broken]  there is no {chain.lock_path}\n"
        "  help: `surefoot lock` writes it, also before the first revision; an image needs it\n",
    )
    with pytest.raises(RevisionsBroken):
        Project.read(chain.ini).build()
    # git keeps no empty folder.
    shutil.rmtree(chain.versions)
    first = await launcher.alembic(chain, "revision", "-m", "begin", url=empty_database.url)
    assert "begin.py written, revisions.lock refreshed" in first.err, first.err
    assert "lock-file-missing" not in first.err


@pytest.mark.slow
async def test_an_edited_revision_is_refused_all_the_same(
    unlocked: Chain, launcher: Launcher, empty_database: Database
) -> None:
    """The ledger has the checksums of the files."""
    url = empty_database.url
    assert (await launcher.alembic(unlocked, "upgrade", "head", url=url)).code == 0
    path = unlocked.path("0001")
    path.write_text(path.read_text("utf-8").replace("id int", "id bigint"), "utf-8")
    refused = await launcher.alembic(unlocked, "upgrade", "head", url=url)
    assert (refused.code, "[revision-edited]  0001_change changed" in refused.err) == (3, True)


async def test_production_refuses_what_nobody_has_judged(
    unlocked: Chain, launcher: Launcher, empty_database: Database
) -> None:
    """It names the command that writes the lock; with a baseline the same revisions run."""
    (unlocked.folder / "alembic" / "env.py").write_text(PRODUCTION, "utf-8")
    url = empty_database.url
    refused = await launcher.alembic(unlocked, "upgrade", "head", url=url)
    assert refused.code == 3, refused.err
    assert refused.err.endswith(
        "REFUSED [revision-unseen]  0001 may hurt a database in use: there is no revisions.lock\n"
        '  help: `surefoot lock --baseline heads` writes it; Limits(lint="warn") only warns\n'
    )
    unlocked.lock()
    lock = unlocked.lock_path.read_text("utf-8")
    unlocked.lock_path.write_text(f"{lock}baseline  0002\n", "utf-8")
    done = await launcher.alembic(unlocked, "upgrade", "head", url=url)
    assert done.code == 0, done.err


@pytest.mark.slow
async def test_lock_judges_every_revision(
    unlocked: Chain, launcher: Launcher, empty_database: Database
) -> None:
    """A lock that is written where none was has no baseline."""
    locked = await launcher.surefoot(unlocked, "lock", url=empty_database.url)
    assert locked.code == 0, locked.err
    lines = unlocked.lock_path.read_text("utf-8").splitlines()
    assert [line.split()[0] for line in lines if not line.startswith("#")] == ["0001", "0002"]
    assert all("  clean/" in line for line in lines[-2:])
    checked = await launcher.surefoot(unlocked, "lock", "--check", url=empty_database.url)
    assert checked.code == 0, checked.err


@pytest.mark.slow
async def test_a_service_starts(
    unlocked: Chain,
    launcher: Launcher,
    empty_database: Database,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It reads the files, and the log says why."""
    url = empty_database.url
    with caplog.at_level(logging.WARNING):
        build = Project.read(unlocked.ini).build()
    assert [r.getMessage().partition(", so")[0] for r in caplog.records] == [
        f"there is no {unlocked.lock_path.resolve()}"
    ]
    for state in ("never-migrated", "current"):
        async with engine(access_to(url), "watch") as made:
            assert (await check(made, build)).state == state
        assert (await launcher.alembic(unlocked, "upgrade", "head", url=url)).code == 0
