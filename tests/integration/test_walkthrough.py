"""docs/walkthrough.md: its commands run in a copy of the project and print what it shows."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from harness.databases import Database
from harness.server import PG_MAJOR
from tests.support.project import ROOT
from tests.support.transcripts import blocks, commands, printed, timeless

DOCUMENT = ROOT / "docs" / "walkthrough.md"


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the project, as a reader of the document has it."""
    for name in ("app", "alembic", "surefoot"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("alembic.ini", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    return tmp_path


def longest_stall_s(text: str) -> float:
    """The longest stall of a reader or a writer."""
    return max(map(float, re.findall(r"longest stall ([\d.]+) s", text)))


@pytest.mark.slow
def test_the_walkthrough_is_true(copy: Path, empty_database: Database) -> None:
    """Line by line; and the online form stalls requests for less than a third of the plain one."""
    if PG_MAJOR != 18:
        pytest.skip("the document shows the revisions for PostgreSQL 18")
    environment = {
        "DATABASE_URL": empty_database.url,
        "VEGAFS_SCRATCH_URL": empty_database.url,
        "PYTHONPATH": os.pathsep.join((str(copy), str(copy / "surefoot" / "src"))),
    }
    (change,) = blocks(DOCUMENT, "diff")
    stalls_s = []
    for block in blocks(DOCUMENT, "console"):
        for command, expected in commands(block):
            if "--autogenerate" in command:
                subprocess.run(["git", "apply"], input=change, cwd=copy, text=True, check=True)
            found = printed(command, copy, environment)
            found = found.replace(empty_database.name, "vegafs_dev")
            assert timeless(found) == timeless(expected), command
            if "longest stall" in found:
                stalls_s.append(longest_stall_s(found))
    plain_s, safe_s = stalls_s
    assert safe_s < plain_s / 3
