"""The walk-through is what happens: its commands run in a copy of the project."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from harness.databases import Database
from harness.server import PG_MAJOR, ROOT
from tests.support.transcripts import blocks, commands, printed, timeless

DOCUMENT = ROOT / "docs" / "walkthrough.md"


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The project as somebody has it who follows the document."""
    for name in ("app", "alembic", "surefoot"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("alembic.ini", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    return tmp_path


def longest_stall_s(text: str) -> float:
    """The longest that anybody waited, of readers and writers."""
    return max(map(float, re.findall(r"longest stall ([\d.]+) s", text)))


@pytest.mark.slow
def test_the_walkthrough_is_true(copy: Path, empty_database: Database) -> None:
    """Line by line; and the safe form makes nobody wait as long as the plain one does."""
    if PG_MAJOR != 18:
        pytest.skip("it shows what is written for PostgreSQL 18")
    environment = {
        "DATABASE_URL": empty_database.url,
        "VEGAFS_SCRATCH_URL": empty_database.url,
        "PYTHONPATH": str(copy),
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
