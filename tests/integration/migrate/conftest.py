"""Alembic as a person runs it: a process, in a folder, on a database."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import pytest

from app.db.embedded.binaries import find_binaries
from app.db.engine import create_engine
from app.migrate.history.lockfile import read_lock, with_known, write_lock
from app.migrate.history.revisions import read_revisions
from app.migrate.proof.catalog import Catalog, snapshot
from tests.support.databases import Database
from tests.support.forks import Result, forks
from tests.support.guarded import guarded
from tests.support.state import data_that_was_used, empty_state_dir, state_dir

__all__ = ["data_that_was_used", "empty_state_dir", "guarded", "project", "state_dir"]

ROOT = Path(__file__).resolve().parents[3]
Command = Callable[..., Result]


def run_alembic(
    *arguments: str, url: str | None, cwd: Path = ROOT, env: Mapping[str, str] | None = None
) -> Result:
    """`alembic …` as a process. A DATABASE_URL of None is unset.

    It is forked from one that has done its imports, unless a PYTHONPATH asks for others.
    """
    wanted = {**(env or {}), **({} if url is None else {"DATABASE_URL": url})}
    if "PYTHONPATH" not in wanted:
        return forks().start("alembic", *arguments, env=wanted, cwd=cwd).wait()
    done = subprocess.run(
        [str(Path(sys.executable).with_name("alembic")), *arguments],
        cwd=cwd,
        env={**os.environ, **wanted},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return Result(done.returncode, done.stdout, done.stderr)


def psql(database: Database, script: str) -> None:
    """Run a script as psql does, stopping at the first error."""
    found = find_binaries(None)
    assert found is not None
    done = subprocess.run(
        [str(found.bindir / "psql"), "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", database.url],
        input=script,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr


async def snapshot_of(database: Database, *, privileges: bool = False) -> Catalog:
    """The catalog of a test's database."""
    engine = create_engine(database.settings, "observe")
    async with engine.connect() as connection:
        found = await connection.run_sync(partial(snapshot, privileges=privileges))
    await engine.dispose()
    return found


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of the project that a test may write to; its `app` is the one that is imported."""
    for name in ("app", "alembic"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "alembic.ini", tmp_path)
    return tmp_path


@pytest.fixture
def command(project: Path, empty_database: Database) -> Command:
    """A command in a copy of the project that has one revision more; what it tries has a server."""

    def call(*words: str, **environment: str) -> Result:
        done = subprocess.run(
            [str(Path(sys.executable).with_name(words[0])), *words[1:]],
            cwd=project,
            env={
                **os.environ,
                "PYTHONPATH": str(project),
                "VEGAFS_SCRATCH_URL": empty_database.url,
                **environment,
            },
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return Result(done.returncode, done.stdout, done.stderr)

    return call


def write_revision(project: Path, name: str, source: str) -> None:
    """A revision in that copy, and its line in the lock without a verdict."""
    versions, lock = project / "alembic" / "versions", project / "alembic" / "revisions.lock"
    (versions / name).write_text(source, "utf-8")
    write_lock(lock, with_known(read_revisions(versions), read_lock(lock)))
