"""Alembic as a person runs it: a process, in a folder, on a database."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.databases import Database
from harness.forks import Result
from harness.guarded import guarded
from harness.server import LIBRARY
from harness.state import data_that_was_used, empty_state_dir, state_dir
from surefoot.chain.lockfile import read_lock, with_known, write_lock
from surefoot.chain.revisions import read_revisions

__all__ = ["data_that_was_used", "empty_state_dir", "guarded", "project", "state_dir"]

ROOT = Path(__file__).resolve().parents[3]
Command = Callable[..., Result]


def imported(project: Path) -> str:
    """PYTHONPATH for commands in a copy of the project."""
    return f"{project}{os.pathsep}{LIBRARY / 'src'}"


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
                "PYTHONPATH": imported(project),
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
