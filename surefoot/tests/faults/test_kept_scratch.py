"""A scratch database begins where the command before it was, and only where that is the same."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import anyio
import pytest
from alembic.util.exc import CommandError
from sqlalchemy import text

from harness.databases import Database
from harness.runs import Chain, Launcher
from harness.server import PG_MAJOR, temporary_folder
from surefoot.chain.imports import changing_imports
from surefoot.chain.lockfile import read_lock
from surefoot.connect.database import Database as Access
from surefoot.embedded import Binaries, find_binaries
from surefoot.errors import NotSquashed, SurefootError
from surefoot.project import Project
from surefoot.run.scratch import scratch_at
from surefoot.scratch import kept_server, scratch_database, templates
from surefoot.scratch.kept_server import KeptServer, kept_servers
from surefoot.squashing.make import make

NOWHERE = Access("postgresql://nobody@127.0.0.1:1/nowhere")
ROLE = "op.execute('CREATE ROLE reads_only')"


@pytest.fixture
def cache(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Of this test alone; its servers are stopped at the end."""
    with temporary_folder() as folder:
        monkeypatch.setenv("XDG_CACHE_HOME", str(folder))
        yield folder / "surefoot" / "scratch"
        for each in kept_servers():
            assert each.remove()


async def has(chain: Chain, *ids: str) -> tuple[str, ...]:
    """Bring a scratch database to these revisions; those that it had from the beginning."""
    project = Project.read(chain.ini)
    revisions = project.revisions()
    async with scratch_database(NOWHERE, project, major=PG_MAJOR, to=revisions) as made:
        found = tuple(sorted(made.has))
    query = text("SELECT string_agg(version_num, ',') FROM alembic_version")
    async with (
        scratch_at(NOWHERE, project, ids, major=PG_MAJOR) as target,
        target.engine.connect() as connection,
    ):
        assert await connection.scalar(query) == ",".join(ids)
    return found


@pytest.mark.slow
async def test_alembic_logs_no_revision_of_a_scratch_database(
    chain: Chain, cache: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A command that changes nothing would seem to migrate the database of the project."""
    chain.add("op.execute('CREATE TABLE t (n int)')")
    with caplog.at_level(logging.INFO, "alembic.runtime.migration"):
        await has(chain, "0001")
    assert [each.message for each in caplog.records if "upgrade" in each.message] == []


@pytest.mark.slow
async def test_the_next_one_begins_where_the_last_one_was(chain: Chain, cache: Path) -> None:
    """Until the code of one of its revisions is another one."""
    chain.add("op.execute('CREATE TABLE t (n int)')")
    chain.add("op.execute('INSERT INTO t VALUES (2)')")
    assert await has(chain, "0002") == ()
    chain.add("op.execute('UPDATE t SET n = 1 / (n - 3)')")
    assert await has(chain, "0003") == ("0001", "0002")
    # A comment is no code.
    path = chain.path("0003")
    path.write_text(f"{path.read_text('utf-8')}# done\n", "utf-8")
    assert await has(chain, "0003") == ("0001", "0002", "0003")
    path.write_text(path.read_text("utf-8").replace("- 3", "- 4"), "utf-8")
    chain.lock()
    assert await has(chain, "0003") == ("0001", "0002")
    path = chain.path("0001")
    path.write_text(path.read_text("utf-8").replace("n int", "n int, m int"), "utf-8")
    chain.lock()
    assert await has(chain, "0003") == ()
    (kept,) = kept_servers()
    assert kept.project == str(chain.folder / "alembic")
    env = chain.folder / "alembic" / "env.py"
    env.write_text(f"{env.read_text('utf-8')}\n# another one\n", "utf-8")
    assert await has(chain, "0003") == ()


@pytest.mark.slow
async def test_a_new_revision_creates_a_schema_of_the_project(chain: Chain, cache: Path) -> None:
    """The kept database got it before the first revision, as no revision created it then."""
    chain.add("op.execute('CREATE TABLE t (n int)')")
    chain.add("pass")

    async def found() -> bool:
        project = Project.read(chain.ini, schemas=["public", "archive"])
        query = text("SELECT to_regnamespace('archive') IS NOT NULL")
        async with (
            scratch_at(NOWHERE, project, ["0001"], major=PG_MAJOR) as target,
            target.engine.connect() as connection,
        ):
            return bool(await connection.scalar(query))

    assert await found()
    chain.add("op.execute('CREATE SCHEMA archive')")
    assert not await found()


@pytest.mark.slow
async def test_of_a_new_revision_no_other_file_is_imported(chain: Chain, cache: Path) -> None:
    """The database has run them, and their text tells their order."""
    told = chain.folder / "imported"
    noted = f"with open({str(told)!r}, 'a') as told:\n    told.write(revision + ' ')\n"
    for number in (1, 2, 3):
        newest = f"{number:04}"
        chain.add(f"op.execute('CREATE TABLE t{number} ()')", lock=False)
        path = chain.path(newest)
        path.write_text(f"{path.read_text('utf-8')}\n\n{noted}", "utf-8")
        chain.lock()
        told.unlink(missing_ok=True)
        await has(chain, newest)
        assert set(told.read_text("utf-8").split()) == {newest}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("body", "why"),
    [
        pytest.param("import json, shop_that_changes", "imports", id="import"),
        pytest.param(
            'import importlib; importlib.import_module("shop_that_changes")',
            "imports",
            id="import by name",
        ),
        pytest.param(ROLE, "its role is gone with its database", id="role"),
    ],
)
async def test_a_database_that_may_be_another_one_is_not_kept(
    chain: Chain, cache: Path, body: str, why: str
) -> None:
    chain.add("op.execute('CREATE TABLE t ()')")
    assert await has(chain, "0001") == ()
    chain.add(f"if op.get_context() is None:\n    {body}" if why == "imports" else body)
    assert await has(chain, "0002") == ("0001",)
    assert await has(chain, "0002") == ("0001",)


@pytest.mark.slow
async def test_a_large_database_is_not_kept(
    chain: Chain, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(templates, "LARGEST_BYTES", 4096)
    chain.add("op.execute('CREATE TABLE t ()')")
    assert await has(chain, "0001") == ()
    assert await has(chain, "0001") == ()


@pytest.mark.slow
async def test_nothing_is_kept_where_nothing_can_be_written(
    chain: Chain, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor for a user without a home."""
    chain.add("op.execute('CREATE TABLE t ()')")
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.setattr("pwd.getpwuid", {}.__getitem__)
    assert not kept_servers()
    assert await has(chain, "0001") == ()


@pytest.mark.slow
async def test_a_changed_server_is_made_anew(chain: Chain, cache: Path) -> None:
    """After a revision that changes its settings, and after a command that was killed."""
    chain.add("op.execute('CREATE TABLE t ()')")
    assert await has(chain, "0001") == ()
    chain.add("op.execute(\"ALTER ROLE CURRENT_USER SET work_mem = '5MB'\")")
    assert await has(chain, "0002") == ("0001",)
    assert await has(chain, "0001") == ()
    assert await has(chain, "0001") == ("0001",)
    (kept,) = kept_servers()
    (kept.place / "intact").unlink()
    assert await has(chain, "0001") == ()
    (kept.place / "intact").write_text("another boot", "ascii")
    assert await has(chain, "0001") == ()


@pytest.mark.slow
async def test_a_squash_begins_with_an_empty_database(chain: Chain, cache: Path) -> None:
    """A copy of a template has not all that the revisions did to its database."""
    binaries = find_binaries(major=PG_MAJOR)
    assert binaries is not None
    database = replace(NOWHERE, pg_bindir=binaries.bindir)
    project = Project.read(chain.ini, schemas=("shop",))

    async def kept(to: str) -> frozenset[str]:
        async with scratch_at(database, project, [to]):
            pass
        async with scratch_database(database, project, to=project.revisions()) as made:
            return made.has

    chain.add("op.execute('CREATE TABLE t ()')")
    assert await kept("0001") == {"0001"}
    made = [await make(project, database, "0001") for _ in range(2)]
    assert made[0] == made[1]
    revoke = "format('REVOKE TEMPORARY ON DATABASE %I FROM PUBLIC', current_database())"
    chain.add(f'op.execute("DO $$ BEGIN EXECUTE {revoke}; END $$")')
    assert await kept("0002") == {"0001", "0002"}
    for _ in range(2):
        with pytest.raises(NotSquashed, match="they change privileges on the database"):
            await make(project, database, "0002")


@pytest.mark.slow
async def test_one_command_has_it_at_a_time(
    chain: Chain, cache: Path, launcher: Launcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other one has a throw-away server, and the server of the first one stays."""
    chain.add("op.execute('CREATE TABLE t ()')")
    project = Project.read(chain.ini)
    async with scratch_at(NOWHERE, project, ["0001"], major=PG_MAJOR):
        assert await has(chain, "0001") == ()
        used = await launcher.surefoot(chain, "scratch", "--clear", url=str(NOWHERE.url))
        (kept,) = kept_servers()
        assert (used.code, used.err.splitlines()[0]) == (1, f"in use: {kept.place}")
    assert await has(chain, "0001") == ("0001",)
    shown = await launcher.surefoot(chain, "scratch", "--json", url=str(NOWHERE.url))
    (server,) = json.loads(shown.out)["servers"]
    assert (server["project"], server["folder"]) == (str(project.folder), str(kept.place))
    shown = await launcher.surefoot(chain, "scratch", url=str(NOWHERE.url))
    assert shown.out.splitlines()[1].endswith(str(project.folder))
    cleared = await launcher.surefoot(chain, "scratch", "--clear", url=str(NOWHERE.url))
    assert (cleared.code, cleared.err) == (0, f"OK  1 server removed from {cache}\n")
    assert not any(cache.iterdir())
    # Of more projects than are kept the one that was used longest ago goes.
    monkeypatch.setattr(kept_server, "KEPT", 1)
    another = KeptServer.of(Path("/another"), Binaries(Path("/nowhere"), PG_MAJOR))
    another.place.mkdir(parents=True)
    for name in ("lock", "intact"):
        (another.place / name).touch()
    assert await has(chain, "0001") == ()
    assert [each.project for each in kept_servers()] == [str(project.folder)]


@pytest.mark.slow
async def test_a_revision_is_named_as_alembic_names_it(
    chain: Chain, empty_database: Database
) -> None:
    """And one that is not there is no empty database."""
    chain.add("op.execute('CREATE TABLE t ()')")
    chain.add("op.execute('CREATE TABLE u ()')")
    project = Project.read(chain.ini)
    database = Access(empty_database.url, scratch_url=empty_database.url)
    query = text("SELECT string_agg(version_num, ',') FROM alembic_version")
    for name, found in (("head", "0002"), ("0001", "0001"), ("head-1", "0001")):
        async with (
            scratch_at(database, project, [name]) as target,
            target.engine.connect() as connection,
        ):
            assert await connection.scalar(query) == found
    with pytest.raises((SurefootError, CommandError)):
        async with scratch_at(database, project, ["9999"]):
            pass


@pytest.mark.slow
async def test_a_past_that_is_locked_is_kept(chain: Chain, cache: Path, launcher: Launcher) -> None:
    """Where no revision was judged, for the first one that will be."""
    chain.add("op.execute('CREATE TABLE t ()')", lock=False)
    chain.add("op.execute('CREATE TABLE u ()')", lock=False)
    chain.lock_path.unlink()
    lock = ("lock", "--baseline", "heads")
    done = await launcher.alembic(chain, *lock, url=str(NOWHERE.url), program="surefoot")
    assert done.code == 0, done.err
    project = Project.read(chain.ini)
    async with scratch_database(NOWHERE, project, to=project.revisions()) as made:
        assert made.has == {"0001", "0002"}


@pytest.mark.slow
async def test_lock_finds_the_same_either_way(
    chain: Chain, cache: Path, launcher: Launcher
) -> None:
    """Fingerprints and verdicts, whether the revisions before it ran or were copied."""
    for number in "123":
        chain.add(f"op.execute('CREATE TABLE t{number} (n int)')", f"op.drop_table('t{number}')")
        done = await launcher.alembic(chain, "lock", url=str(NOWHERE.url), program="surefoot")
        assert done.code == 0, done.err
    chain.add("op.execute('CREATE INDEX i ON t1 (n)')", "op.execute('DROP INDEX i')")
    done = await launcher.alembic(chain, "lock", url=str(NOWHERE.url), program="surefoot")
    found = read_lock(chain.lock_path)
    assert found[-1].broken_rules == ("require-concurrent-index",), done.err
    chain.lock()
    assert [each.remove() for each in kept_servers()] == [True]
    done = await launcher.alembic(chain, "lock", url=str(NOWHERE.url), program="surefoot")
    assert [each.line() for each in read_lock(chain.lock_path)] == [each.line() for each in found]


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("import os\nfrom sqlalchemy.sql import text\n", []),
        ("import os, shop\n", ["shop"]),
        ("import os; import shop\n", ["shop"]),
        ("def upgrade():\n    from shop.models import Item\n", ["shop.models"]),
        ("from . import models\n", ["."]),
        ("from shop import (\n    a,\n)\n", ["shop"]),
        ("import os as o\nfrom sqlalchemy import (\n    text,\n)\n", []),
        ('"""Do not import the shop."""\nimport os\n', []),
    ],
)
def test_imports_that_may_change(source: str, names: list[str]) -> None:
    assert [name for _, name in changing_imports(source.encode())] == names


# SIGQUIT ends the postmaster at once.
SERVER_ENDS = """\
import os, time
pid = op.get_bind().exec_driver_sql("SELECT pg_backend_pid()").scalar()
with open(f"/proc/{pid}/stat") as stat:
    os.kill(int(stat.read().rpartition(")")[2].split()[1]), 3)
time.sleep(0.5)
op.execute("CREATE TABLE u ()")
"""


OTHERS_END = """op.execute(
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
    "WHERE pid <> pg_backend_pid() AND datname = current_database()"
)
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "ends"),
    [
        (["lock"], SERVER_ENDS),
        (["lint"], SERVER_ENDS),
        (["squash", "0002"], SERVER_ENDS),
        (["lock"], OTHERS_END),
    ],
)
async def test_a_server_that_ends_a_session_is_said_to_have(
    chain: Chain, cache: Path, launcher: Launcher, words: list[str], ends: str
) -> None:
    """The next command has another one."""
    chain.add("op.execute('CREATE TABLE t ()')", "op.drop_table('t')")
    chain.add(ends)
    done = await launcher.alembic(chain, *words, url=str(NOWHERE.url), program="surefoot")
    assert done.code == 75, done.err
    assert "ERROR [scratch-lost]" in done.err
    assert "the scratch server at " in done.err
    chain.path("0002").unlink()
    chain.add("op.execute('CREATE TABLE u ()')", "op.drop_table('u')")
    done = await launcher.alembic(chain, *words, url=str(NOWHERE.url), program="surefoot")
    assert done.code == 0, done.err


@pytest.mark.slow
async def test_its_database_is_removed_though_its_session_was_ended(
    chain: Chain, cache: Path
) -> None:
    ended = text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = :of")
    left = text("SELECT count(*) FROM pg_database WHERE datname LIKE 'surefoot_scratch_%'")
    async with scratch_database(NOWHERE, Project.read(chain.ini), major=PG_MAJOR) as outer:
        async with outer.copied() as engine, engine.connect() as connection:
            await connection.execute(ended, {"of": outer.server.shown().database})
        async with outer.engine.connect() as connection:
            assert await connection.scalar(left) == 1


@pytest.mark.slow
async def test_its_database_is_removed_where_its_task_is_cancelled(
    chain: Chain, cache: Path
) -> None:
    """A scope of anyio cancels each wait, also those that clear up."""
    left = text("SELECT count(*) FROM pg_database WHERE datname LIKE 'surefoot_scratch_%'")
    async with scratch_database(NOWHERE, Project.read(chain.ini), major=PG_MAJOR) as outer:
        with anyio.CancelScope() as scope:
            async with outer.copied():
                scope.cancel()
                await anyio.sleep_forever()
        async with outer.engine.connect() as connection:
            assert await connection.scalar(left) == 1
