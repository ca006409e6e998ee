"""docs/tutorial.md: its commands run in a copy of the project and print what it shows."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from harness.databases import Database
from harness.server import PG_MAJOR
from tests.support.project import ROOT, copy_to, paths_of
from tests.support.transcripts import blocks, commands, is_shown, printed

DOCUMENT = ROOT / "docs" / "tutorial.md"


def longest_stall_s(text: str) -> float:
    """The longest stall of a reader or a writer."""
    return max(map(float, re.findall(r"longest stall ([\d.]+) s", text)))


@pytest.mark.slow
def test_the_tutorial_is_true(tmp_path: Path, empty_database: Database) -> None:
    """Line by line; and the online form stalls requests for less than a third of the plain one."""
    if PG_MAJOR != 18:
        pytest.skip("the document shows the revisions for PostgreSQL 18")
    copy = copy_to(tmp_path)
    environment = {
        "DATABASE_URL": empty_database.url,
        "VEGAFS_SCRATCH_URL": empty_database.url,
        "PYTHONPATH": paths_of(copy),
    }
    (change,) = blocks(DOCUMENT, "diff")
    stalls_s = []
    for block in blocks(DOCUMENT, "console"):
        for command, expected in commands(block):
            if "--autogenerate" in command:
                subprocess.run(["git", "apply"], input=change, cwd=copy, text=True, check=True)
            found = printed(command, copy, environment)
            found = found.replace(empty_database.name, "vegafs_dev")
            assert is_shown(found, expected), f"{command}\n{found}"
            if "longest stall" in found:
                stalls_s.append(longest_stall_s(found))
    plain_s, *safe_s = stalls_s
    assert len(safe_s) == 2
    assert max(safe_s) < plain_s / 3


def test_it_has_ten_steps() -> None:
    """Numbered, on a page that is read in one go."""
    text = DOCUMENT.read_text("utf-8")
    assert re.findall(r"^## (\d+)\. ", text, re.MULTILINE) == [str(n) for n in range(1, 11)]
    assert len(text.splitlines()) <= 200
