"""The project's own revisions, squashed in a copy of it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from harness.databases import Database, Databases
from harness.states import state_of
from tests.support.project import ROOT

VEGAFS = ("-c", "from app.cli import main; main()")


def run(copy: Path, *command: str, url: str) -> str:
    """A command of Python in the copy; its narration."""
    env = {
        **os.environ,
        "DATABASE_URL": url,
        "VEGAFS_SCRATCH_URL": url,
        "PYTHONPATH": os.pathsep.join([str(copy), *sys.path]),
    }
    done = subprocess.run(
        [sys.executable, *command],
        cwd=copy,
        env=env,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr + done.stdout
    return done.stderr


@pytest.mark.slow
async def test_a_new_database_begins_with_it(tmp_path: Path, databases: Databases) -> None:
    """Schema and rows are those of the revisions, and all checks pass."""
    for name in ("app", "alembic"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("alembic.ini", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)

    async def upgraded() -> tuple[Database, str]:
        made = await databases.empty()
        return made, run(tmp_path, "-m", "alembic", "upgrade", "head", url=made.url)

    by_revisions, _ = await upgraded()
    written = run(tmp_path, *VEGAFS, "squash", "head", url=by_revisions.url)
    assert "OK  squashed.sql written" in written
    by_squash, said = await upgraded()
    assert "SQUASH" in said
    assert (await state_of(by_squash)).differs(await state_of(by_revisions)) == ""
    run(tmp_path, *VEGAFS, "verify", url=by_squash.url)
