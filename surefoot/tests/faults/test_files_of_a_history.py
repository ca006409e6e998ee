"""Revision files as real histories have them: in several folders, under any name, with any id."""

from __future__ import annotations

import asyncio
import re
import shutil
from functools import partial

import asyncpg
import pytest

from harness.databases import Database, access_to, engine
from harness.environment import database
from harness.runs import Chain, Launcher
from surefoot.chain.lockfile import write_lock
from surefoot.environment import fast_path
from surefoot.project import Project
from surefoot.startup.check import check

NAMES = (
    "2026_01_02_1200-0001_add_x.py",
    "0002_add_x_to_.py",
    "0003 add x.py",
    "größe_表.py",
    "0005_add_y.py",
)
TABLE = "op.execute('CREATE TABLE t{0} (id int)')", "op.execute('DROP TABLE t{0}')"


def table(chain: Chain, number: int) -> None:
    """A revision that creates a table."""
    chain.add(TABLE[0].format(number), TABLE[1].format(number))


def configured(chain: Chain, *lines: str) -> None:
    """Further lines of its ini file."""
    kept = [each for each in chain.ini.read_text("utf-8").splitlines() if "locations" not in each]
    chain.ini.write_text("\n".join(["[alembic]", *lines, *kept[1:], ""]), "utf-8")


@pytest.mark.slow
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


@pytest.mark.slow
async def test_revisions_in_folders_far_apart_are_judged(
    chain: Chain,
    launcher: Launcher,
    empty_database: Database,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """Each by its own lines, also where the only folder that has both is the root."""
    far = tmp_path_factory.mktemp("far")
    for number in (1, 2):
        table(chain, number)
    chain.add("op.create_index('i', 't1', ['id'])", "op.drop_index('i')")
    for name in ("0002", "0003"):
        chain.path(name).rename(far / chain.path(name).name)
    configured(chain, f"version_locations = {chain.versions}:{far}")
    locked = await launcher.surefoot(chain, "lock", url=empty_database.url)
    assert locked.code == 0, locked.err
    found = [each.verdict for each in Project.read(chain.ini).locked()]
    assert found == ["clean", "clean", "require-concurrent-index"]
    linted = await launcher.surefoot(chain, "lint", "0003", url=empty_database.url)
    assert f"{far.name}/0003_change.py:12\n" in linted.out


@pytest.mark.slow
async def test_a_file_is_imported_where_its_revision_runs(
    chain: Chain, launcher: Launcher, empty_database: Database, watcher: asyncpg.Connection
) -> None:
    """An upgrade, a stamp, a downgrade and the SQL of one leave the other files alone."""
    url, told = empty_database.url, chain.folder / "imported"
    for number in (1, 2, 3):
        chain.add(*(each.format(number) for each in TABLE), lock=False)
        path = chain.path(f"{number:04}")
        noted = f"with open({str(told)!r}, 'a') as told:\n    told.write(revision + ' ')\n"
        path.write_text(f"{path.read_text('utf-8')}\n\n{noted}", "utf-8")
    chain.lock()
    for typed, imported in (
        ("upgrade 0001", {"0001"}),
        ("upgrade head", {"0002", "0003"}),
        ("downgrade 0002", {"0003"}),
        ("stamp 0002", set()),
        ("upgrade 0002:0003 --sql", {"0003"}),
        ("upgrade head", {"0003"}),
        ("current", set()),
    ):
        told.write_text("", "utf-8")
        done = await launcher.alembic(chain, *typed.split(), url=url)
        assert done.code == 0, done.err
        assert set(told.read_text("utf-8").split()) == imported, typed
    assert await watcher.fetchval("SELECT count(*) FROM pg_class WHERE relname ~ '^t[123]$'") == 3


@pytest.mark.slow
async def test_a_module_that_is_not_as_its_file_was_read_does_not_run(
    chain: Chain, launcher: Launcher, empty_database: Database, watcher: asyncpg.Connection
) -> None:
    """Its checksum, its phase and its verdict are of another revision; nothing is applied."""
    table(chain, 1)
    table(chain, 2)
    path = chain.path("0002")
    path.write_text(path.read_text("utf-8") + "\nglobals()['re' + 'vision'] = '0003'\n", "utf-8")
    chain.lock()
    done = await launcher.alembic(chain, "upgrade", "head", url=empty_database.url)
    assert (done.code, "[revisions-broken]" in done.err) == (2, True), done.err
    assert "revision is '0003' once the file has run" in done.err
    assert not await watcher.fetchval("SELECT count(*) FROM pg_class WHERE relname ~ '^t[12]$'")


@pytest.mark.slow
async def test_a_name_is_free(
    chain: Chain, launcher: Launcher, empty_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first look is enough at head, and an older build serves on a database that is ahead."""
    url = empty_database.url
    for number, name in enumerate(NAMES, 1):
        table(chain, number)
        chain.path(f"{number:04}").rename(chain.versions / name)
    (chain.versions / "__init__.py").touch()
    chain.lock()
    older = Chain(chain.folder.with_name("older"))
    for name in NAMES[:-1]:
        shutil.copy(chain.versions / name, older.versions)
    (older.versions / "__init__.py").touch()
    older.lock()
    done = await launcher.alembic(chain, "upgrade", "head", url=url)
    assert f"OK  {len(NAMES)} applied" in done.err, done.err
    done = await launcher.alembic(older, "upgrade", "head", url=url)
    newest = f"{len(NAMES):04}"
    assert done.code == 0, done.err
    assert f"is ahead of this build: {newest} leaves what" in done.err
    async with engine(access_to(url), "watch") as made:
        assert (await check(made, Project.read(older.ini).build())).state == "ahead"
    monkeypatch.setenv("DATABASE_URL", url)
    project, said = Project.read(chain.ini), list[str]()
    assert await asyncio.to_thread(fast_path.at_head, project, database, "head", said.append)
    assert "Nothing to do" in said[0]
    edited = chain.versions / NAMES[1]
    edited.write_text(edited.read_text("utf-8").replace("id int", "id bigint"), "utf-8")
    chain.lock()
    refused = await launcher.alembic(chain, "upgrade", "head", url=url)
    assert "[revision-edited]  0002_add_x_to changed after it was applied" in refused.err


@pytest.mark.sample(2)
@pytest.mark.parametrize("program", ["alembic", "surefoot"])
async def test_a_baseline_that_no_file_has_is_seen_at_head(
    chain: Chain, launcher: Launcher, empty_database: Database, program: str
) -> None:
    """The first look leaves it to the run, as all that is not plain."""
    table(chain, 1)
    chain.lock()
    run = partial(getattr(launcher, program), chain, "upgrade", url=empty_database.url)
    given = ["head"] if program == "alembic" else []
    assert (await run(*given)).code == 0
    done = await run(*given)
    assert "Nothing to do" in done.err, done.err
    with Project.read(chain.ini).lock.open("a", encoding="utf-8") as lock:
        lock.write("baseline  0099\n")
    done = await run(*given)
    assert done.code == 2, done.err
    assert "the baseline names 0099, which no file has" in done.err


@pytest.mark.slow
async def test_a_chain_of_hashes_gets_a_hash(
    chain: Chain, launcher: Launcher, empty_database: Database
) -> None:
    """Alembic's own, also after one that happens to be a number."""
    chain.add("pass", identifier="ae1027a6c3d2", down="", lock=False)
    chain.add("pass", identifier="121699507574", down="ae1027a6c3d2")
    done = await launcher.alembic(chain, "revision", "-m", "next", url=empty_database.url)
    assert done.code == 0, done.err
    assert re.fullmatch(r"[0-9a-f]{12}", newest := Project.read(chain.ini).revisions()[-1].id)
    assert newest != "121699507575"


@pytest.mark.slow
async def test_the_columns_of_the_ledger_are_aligned(
    chain: Chain, launcher: Launcher, empty_database: Database
) -> None:
    """Whatever the length of an id."""
    chain.add("pass", identifier="1", down="")
    chain.add("pass", identifier="121699507574", down="1")
    done = await launcher.alembic(chain, "upgrade", "head", url=empty_database.url)
    assert done.code == 0, done.err
    listed = await launcher.surefoot(chain, "ledger", url=empty_database.url)
    header, *lines = listed.out.splitlines()
    assert len(lines) == 3
    for column in ("WHEN", "REVISION", "TOOK", "BY"):
        at = header.index(column)
        assert [line[at - 1] for line in lines] == [" "] * 3, listed.out
        assert " " not in [line[at] for line in lines], listed.out


async def test_a_lock_of_nothing_is_said(
    chain: Chain, launcher: Launcher, empty_database: Database
) -> None:
    """The folder may be the wrong one."""
    done = await launcher.surefoot(chain, "lock", url=empty_database.url)
    assert done.err == (
        "OK  revisions.lock was up to date: 0 revisions\nthere is no revision in alembic/versions\n"
    )


@pytest.mark.slow
async def test_docstrings_that_are_no_title(
    chain: Chain, launcher: Launcher, empty_database: Database
) -> None:
    """The first sentence is told; a template's fields without a message are none."""
    docstrings = (
        "Add t1.\nIt has no column.",
        "Create Date: 2026-01-02 12:00",
        "\nRevises: 0002\n",
    )
    for number, docstring in enumerate(docstrings, 1):
        table(chain, number)
        path = chain.path(f"{number:04}")
        text = path.read_text("utf-8").replace(f'"""Change {number:04}."""', f'"""{docstring}"""')
        path.write_text(text, "utf-8")
    chain.lock()
    result = await launcher.alembic(chain, "upgrade", "head", url=empty_database.url)
    told = [re.sub(r"  (< )?[\d.]+ s$", "", line) for line in result.err.splitlines()[1:-1]]
    assert told == ["  1 of 3  0001  Add t1", "  2 of 3  0002", "  3 of 3  0003"]
    result = await launcher.alembic(chain, "history", url=empty_database.url)
    assert [line.rstrip().split("  ")[-1] for line in result.out.splitlines()] == [
        "expand",
        "expand",
        "Add t1",
    ]
