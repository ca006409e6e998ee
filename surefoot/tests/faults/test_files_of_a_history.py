"""Revision files as real histories have them: in several folders, under any name, with any id."""

from __future__ import annotations

import asyncpg

from harness.databases import Database, access_to, engine
from harness.runs import Chain, Launcher
from surefoot.chain.lockfile import write_lock
from surefoot.project import Project
from surefoot.startup.check import check

TABLE = "op.execute('CREATE TABLE t{0} (id int)')", "op.execute('DROP TABLE t{0}')"


def table(chain: Chain, number: int) -> None:
    """A revision that creates a table."""
    chain.add(TABLE[0].format(number), TABLE[1].format(number))


def configured(chain: Chain, *lines: str) -> None:
    """Further lines of its ini file."""
    kept = [each for each in chain.ini.read_text("utf-8").splitlines() if "locations" not in each]
    chain.ini.write_text("\n".join(["[alembic]", *lines, *kept[1:], ""]), "utf-8")


async def test_several_folders_are_one_chain(
    chain: Chain, launcher: Launcher, empty_database: Database, watcher: asyncpg.Connection
) -> None:
    """For the run, the second look, the start-up check and a new revision."""
    for number in (1, 2, 3):
        table(chain, number)
    old, more = chain.versions / "old" / "2020", chain.folder / "more"
    for path, place in ((chain.path("0001"), old), (chain.path("0003"), more)):
        place.mkdir(parents=True)
        path.rename(place / path.name)
    configured(
        chain,
        f"version_locations = {chain.versions}:%(here)s/more",
        "recursive_version_locations = true",
    )
    project, url = Project.read(chain.ini), empty_database.url
    assert project.lock == chain.lock_path.resolve()
    write_lock(project.lock, project.revisions())
    for said in ("OK  3 applied", "Nothing to do"):
        done = await launcher.alembic(chain, "upgrade", "head", url=url)
        assert (done.code, said in done.err) == (0, True), done.err
    checksums = "SELECT array_agg(length(checksum)) FROM alembic_version_ledger"
    assert await watcher.fetchval(f"{checksums} WHERE outcome = 'applied'") == [64] * 3
    async with engine(access_to(url), "watch") as made:
        assert (await check(made, project.build())).state == "current"
    revised = ("revision", "-m", "next", "--version-path", str(more))
    done = await launcher.alembic(chain, *revised, url=url)
    assert "next.py written, revisions.lock refreshed" in done.err, done.err
    assert len(project.locked()) == 4


async def test_a_lock_of_nothing_is_said(
    chain: Chain, launcher: Launcher, empty_database: Database
) -> None:
    """The folder may be the wrong one."""
    done = await launcher.surefoot(chain, "lock", url=empty_database.url)
    assert done.err == (
        "OK  revisions.lock was up to date: 0 revisions\nthere is no revision in alembic/versions\n"
    )
