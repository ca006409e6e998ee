"""A refused command leaves revision table, ledger, schema and files as they were."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import asyncpg
import pytest

from harness.databases import Database
from harness.runs import Chain, Launcher
from surefoot.chain.lockfile import write_lock
from surefoot.chain.revisions import read_revisions

TABLE = "op.execute('CREATE TABLE t{0} (id int)')", "op.execute('DROP TABLE t{0}')"


async def state(chain: Chain, watcher: asyncpg.Connection) -> dict[str, object]:
    """Every relation and every row with its place and transaction, and every file."""
    tables = await watcher.fetch(
        "SELECT oid, relname, relkind, relfilenode, relnatts FROM pg_class "
        "WHERE relnamespace = 'public'::regnamespace ORDER BY oid"
    )
    rows = {
        str(row["relname"]): [
            str(line[0])
            for line in await watcher.fetch(
                f'SELECT (t.ctid, t.xmin, t)::text FROM "{row["relname"]}" t ORDER BY 1'
            )
        ]
        for row in tables
        if row["relkind"] == b"r"
    }
    return {
        "relations": [tuple(row) for row in tables],
        "rows": rows,
        "functions": await watcher.fetchval("SELECT array_agg(oid) FROM pg_proc WHERE oid > 16384"),
        "files": files(chain.folder),
    }


def files(folder: Path) -> Mapping[str, bytes]:
    return {
        str(path): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.suffix != ".pyc"
    }


async def migrated(chain: Chain, launcher: Launcher, url: str) -> None:
    """Two revisions that are applied, and one that is pending."""
    for number in (1, 2):
        chain.add(TABLE[0].format(number), TABLE[1].format(number))
    done = await launcher.alembic(chain, "upgrade", "head", url=url)
    assert done.code == 0, done.err
    chain.add(TABLE[0].format(3), TABLE[1].format(3))


# The arguments, the exit code, and the error.
COMMANDS = {
    "a purging stamp below the schema": (("stamp", "--purge", "0001"), 3, "stamp-refused"),
    "a purging stamp above the schema": (("stamp", "--purge", "0003"), 3, "stamp-refused"),
    "a purging stamp of base": (("stamp", "--purge", "base"), 3, "stamp-refused"),
    "a purging stamp of nothing known": (("stamp", "--purge", "nope"), 2, "revision-unknown"),
    "a stamp": (("stamp", "0001"), 3, "stamp-refused"),
    "a stamp of nothing known": (("stamp", "nope"), 2, "revision-unknown"),
    "an upgrade to nothing known": (("upgrade", "nope"), 2, "revision-unknown"),
    "a downgrade to nothing known": (("downgrade", "nope"), 2, "revision-unknown"),
    "a downgrade too far": (("downgrade", "-9"), 2, "revision-unknown"),
    "offline SQL of nothing known": (("upgrade", "nope", "--sql"), 2, "revision-unknown"),
    "a purging stamp as SQL": (("stamp", "--purge", "0001", "--sql"), 2, "usage"),
}


@pytest.mark.sample(3)
@pytest.mark.parametrize(("arguments", "code", "error"), COMMANDS.values(), ids=COMMANDS)
async def test_a_refused_command_changes_nothing(
    chain: Chain,
    launcher: Launcher,
    empty_database: Database,
    watcher: asyncpg.Connection,
    arguments: tuple[str, ...],
    code: int,
    error: str,
) -> None:
    """On a database in use, whichever guard or lack of a revision stops it."""
    await migrated(chain, launcher, empty_database.url)
    before = await state(chain, watcher)
    result = await launcher.alembic(chain, *arguments, url=empty_database.url)
    assert (result.code, f"[{error}]" in result.err) == (code, True), result.err
    assert await state(chain, watcher) == before
    again = await launcher.alembic(chain, "upgrade", "head", url=empty_database.url)
    assert "OK  1 applied" in again.err


BODIES = {
    "asynchronous": "async def upgrade():\n    op.execute('CREATE TABLE x (id int)')",
    "a generator": "def upgrade():\n    yield op.execute('CREATE TABLE x (id int)')",
    "asynchronous by another name": (
        "async def later():\n    op.execute('CREATE TABLE x (id int)')\n\n\nupgrade = later"
    ),
}


@pytest.mark.sample(4)
@pytest.mark.parametrize("sql", [(), ("--sql",)], ids=["online", "offline"])
@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
async def test_a_function_of_which_a_call_runs_nothing_is_refused(
    chain: Chain,
    launcher: Launcher,
    empty_database: Database,
    watcher: asyncpg.Connection,
    body: str,
    sql: tuple[str, ...],
) -> None:
    """It would be recorded as applied; neither it nor a revision before it is applied."""
    chain.add(TABLE[0].format(1), TABLE[1].format(1))
    path = chain.path(chain.add("pass", lock=False))
    text = path.read_text()
    path.write_text(text[: text.index("def upgrade")] + f"{body}\n\n\ndef downgrade():\n    pass\n")
    if body.startswith("async def upgrade"):
        refused = f"upgrade() of {path.name}"
    else:
        chain.lock()
        refused = "upgrade() of 0002"
    before = await state(chain, watcher)
    result = await launcher.alembic(chain, "upgrade", "head", *sql, url=empty_database.url)
    assert (result.code, result.out) == (3, ""), result.err
    assert f"REFUSED [runs-nothing]  {refused} is asynchronous or a generator" in result.err
    assert await state(chain, watcher) == before


async def test_a_revision_without_a_downgrade_is_not_passed(
    chain: Chain, launcher: Launcher, empty_database: Database, watcher: asyncpg.Connection
) -> None:
    """As of projects that never downgrade: lint and plan say so, and nothing is reverted."""
    url = empty_database.url
    path = chain.path(chain.add(TABLE[0].format(1), lock=False))
    path.write_text(path.read_text().partition("def downgrade")[0].rstrip() + "\n")
    chain.add(TABLE[0].format(2), TABLE[1].format(2))
    linted = await launcher.surefoot(chain, "lint", "0001", url=url)
    assert linted.code == 1
    assert "error [require-downgrade]" in linted.out
    planned = await launcher.surefoot(chain, "plan", url=url)
    assert "undo: 0001 has no downgrade(), so no downgrade passes it" in planned.out
    done = await launcher.alembic(chain, "upgrade", "head", url=url)
    assert done.code == 0, done.err
    before = await state(chain, watcher)
    for words in (["base"], ["head:base", "--sql"]):
        result = await launcher.alembic(chain, "downgrade", *words, url=url)
        assert (result.code, result.out) == (3, ""), result.err
        assert "REFUSED [function-missing]  0001 has no downgrade()" in result.err
    assert await state(chain, watcher) == before


@pytest.mark.slow
async def test_a_coroutine_that_shows_when_it_is_called_is_refused(
    chain: Chain, launcher: Launcher, empty_database: Database, watcher: asyncpg.Connection
) -> None:
    """No look at the function tells what a lambda returns; nothing is recorded as applied."""
    path = chain.path(chain.add("pass", lock=False))
    text = path.read_text().replace("def upgrade() -> None:", "async def later():")
    path.write_text(text + "\n\nupgrade = lambda: later()\n")
    chain.lock()
    before = await state(chain, watcher)
    result = await launcher.alembic(chain, "upgrade", "head", url=empty_database.url)
    assert result.code == 3, result.err
    assert "REFUSED [runs-nothing]" in result.err
    assert await state(chain, watcher) == before


IDS = {
    "changed later": (
        "revision = '0002'\n",
        "revision = '0002'\nglobals()['revision'] = '0002x'\n",
    ),
    "another each time": ("revision = '0002'\n", "import uuid\nrevision = uuid.uuid4().hex\n"),
    "a number": ("revision = '0002'\n", "revision = int('2')\n"),
    "raising": ("revision = '0002'\n", "revision = str(1 / 0)\n"),
    "leaving": ("revision = '0002'\n", "revision = exit(0)\n"),
}


def spell_second(chain: Chain, before: str, after: str) -> None:
    """Two revisions, and another spelling in the file of the second."""
    for number in (1, 2):
        chain.add(TABLE[0].format(number), TABLE[1].format(number))
    path = chain.path("0002")
    assert before in path.read_text()
    path.write_text(path.read_text().replace(before, after))


@pytest.mark.sample(5)
@pytest.mark.parametrize(("before", "after"), IDS.values(), ids=IDS)
async def test_an_id_on_which_alembic_does_not_agree_is_refused(
    chain: Chain,
    launcher: Launcher,
    empty_database: Database,
    watcher: asyncpg.Connection,
    before: str,
    after: str,
) -> None:
    """It would be applied unlinted and without a checksum."""
    spell_second(chain, before, after)
    if "globals" in after:
        chain.lock()
    elif "uuid" in after:
        chain.lock_path.unlink()
    found = await state(chain, watcher)
    result = await launcher.alembic(chain, "upgrade", "head", url=empty_database.url)
    assert (result.code, "[revisions-broken]" in result.err) == (2, True), result.err
    assert await state(chain, watcher) == found


@pytest.mark.sample(11)
@pytest.mark.parametrize(
    ("before", "after"),
    [
        (
            "revision = '0002'\ndown_revision = '0001'\n",
            "revision, down_revision = '0002', '0001'\n",
        ),
        ("down_revision = '0001'", "if True:\n    down_revision = '0001'"),
        ("down_revision = '0001'", "OTHER = '0001'\ndown_revision = OTHER"),
        ("revision = '0002'\n", "revision = '00' + '02'\n"),
        ("revision = '0002'\n", "revision = f'{2:04}'\n"),
        ("revision = '0002'\n", "make_id = lambda: '0002'\nrevision = make_id()\n"),
        ("revision = '0002'\n", "globals().update({'revision': '0002'})\n"),
        ("phase = 'expand'", "phase = 'ex' + 'pand'"),
        ("revision = '0002'", "revision: str = '0002'"),
        ("down_revision = '0001'", "down_revision: 'str | None' = ('0001',)"),
        ("revision = '0002'\n", "name = revision = '0002'\n"),
    ],
)
async def test_an_id_in_another_form_is_understood(
    chain: Chain,
    launcher: Launcher,
    empty_database: Database,
    watcher: asyncpg.Connection,
    before: str,
    after: str,
) -> None:
    """The ledger has the checksum of the file."""
    spell_second(chain, before, after)
    chain.lock()
    result = await launcher.alembic(chain, "upgrade", "head", url=empty_database.url)
    assert result.code == 0, result.err
    query = "SELECT length(checksum) FROM alembic_version_ledger WHERE revision = '0002'"
    assert await watcher.fetchval(query) == 64


@pytest.mark.slow
async def test_revisions_in_folders_of_the_folder_are_read(
    chain: Chain, launcher: Launcher, empty_database: Database, watcher: asyncpg.Connection
) -> None:
    """With recursive_version_locations, and only with it."""
    for number in (1, 2):
        chain.add(TABLE[0].format(number), TABLE[1].format(number))
    chain.ini.write_text(
        chain.ini.read_text().replace(
            "[alembic]", "[alembic]\nrecursive_version_locations = true", 1
        )
    )
    (chain.versions / "old").mkdir()
    chain.path("0001").rename(chain.versions / "old" / "0001_change.py")
    first = await launcher.alembic(chain, "upgrade", "head", url=empty_database.url)
    assert first.code == 0, first.err
    query = "SELECT array_agg(length(checksum)) FROM alembic_version_ledger WHERE outcome='applied'"
    assert await watcher.fetchval(query) == [64, 64]
    again = await launcher.alembic(chain, "upgrade", "head", url=empty_database.url)
    assert "Nothing to do" in again.err
    chain.add("op.create_index('i', 't1', ['id'])", identifier="0003", down="0002", lock=False)
    chain.path("0003").rename(chain.versions / "old" / "0003_change.py")
    write_lock(chain.lock_path, read_revisions(chain.versions, recursive=True))
    found = await launcher.surefoot(chain, "lint", "0003", url=empty_database.url)
    assert found.code == 1, found.err
    assert "old/0003_change.py:12\n  error [require-concurrent-index]" in found.out


async def test_a_revision_without_a_source_is_refused(
    chain: Chain, launcher: Launcher, empty_database: Database, watcher: asyncpg.Connection
) -> None:
    """Alembic runs a .pyc with `sourceless`; nothing could be linted or compared."""
    import py_compile

    chain.add(TABLE[0].format(1), TABLE[1].format(1))
    chain.ini.write_text(chain.ini.read_text().replace("[alembic]", "[alembic]\nsourceless = true"))
    path = chain.path("0001")
    py_compile.compile(str(path), cfile=str(path.with_suffix(".pyc")))
    path.unlink()
    chain.lock()
    before = await state(chain, watcher)
    result = await launcher.alembic(chain, "upgrade", "head", url=empty_database.url)
    assert result.code == 2, result.err
    assert "ERROR [revisions-broken]  Alembic runs 0001 from " in result.err
    assert await state(chain, watcher) == before


@pytest.mark.sample(2)
@pytest.mark.parametrize("name", [".#0002_change.py", "__init__.py"])
async def test_a_file_that_alembic_ignores_is_ignored(
    chain: Chain, launcher: Launcher, empty_database: Database, name: str
) -> None:
    """The lock file of an editor is a link to nowhere."""
    chain.add(TABLE[0].format(1), TABLE[1].format(1))
    if name.startswith("."):
        (chain.versions / name).symlink_to("somebody@somewhere.1234")
    else:
        (chain.versions / name).write_text("revision = '0001'\n")
    for said in ("OK  1 applied", "Nothing to do"):
        result = await launcher.alembic(chain, "upgrade", "head", url=empty_database.url)
        assert said in result.err
