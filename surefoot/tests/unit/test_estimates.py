"""The durations that `plan` leaves to a run, and for how long."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest
from sqlalchemy import make_url

from surefoot.run.estimates import FORGOTTEN_S, Range, keep, kept

URL = make_url("postgresql+asyncpg://migrate@db:5432/shop")
OTHER = make_url("postgresql+asyncpg://observe@db:5432/shop_eu")
SQL = "UPDATE jobs SET rank = 5"
SHAPE = "UPDATE jobs SET rank = ?"


def test_a_run_finds_what_was_planned_for_its_files(tmp_path: Path) -> None:
    """Of the same database, whichever role asks, and of the revision as its file was."""
    file = tmp_path / "surefoot" / "estimates.json"
    keep(file, URL, {("0002", "abc"): {SQL: Range(20, 90)}})
    keep(file, OTHER, {("0002", "abc"): {SQL: Range(1, 2)}})
    found = kept(file, URL.set(username="app"), {"0002": "abc"})
    assert found.of("0002", SHAPE) == Range(20, 90)
    assert found.of("0003", SHAPE) is None
    assert kept(file, URL, {"0002": "abd"}).of("0002", SHAPE) is None
    assert kept(file, URL.set(host="db2"), {"0002": "abc"}).of("0002", SHAPE) is None
    keep(file, URL, {})
    assert kept(file, URL, {"0002": "abc"}).of("0002", SHAPE) is None


def test_it_is_forgotten(tmp_path: Path) -> None:
    """And goes with the next one that is kept."""
    file = tmp_path / "estimates.json"
    keep(file, URL, {("0002", "abc"): {SQL: Range(20, 90)}})
    written = json.loads(file.read_text("utf-8"))
    (of,) = written.values()
    of["at_s"] = time.time() - FORGOTTEN_S
    file.write_text(json.dumps(written), "utf-8")
    assert kept(file, URL, {"0002": "abc"}).of("0002", SHAPE) is None
    keep(file, OTHER, {})
    assert len(json.loads(file.read_text("utf-8"))) == 1


@pytest.mark.parametrize(
    "text", ["", "[]", "{", '{"db:5432/shop": 5}', '{"db:5432/shop": {"at_s": 9e99}}',
             '{"db:5432/shop": {"at_s": 9e99, "revisions": {"0002 abc": {"x": [1]}}}}']
)  # fmt: skip
def test_a_file_that_somebody_has_edited_holds_nothing(tmp_path: Path, text: str) -> None:
    """As one that is not there."""
    file = tmp_path / "estimates.json"
    file.write_text(text, "utf-8")
    assert kept(file, URL, {"0002": "abc"}).ranges == {}
    keep(Path(os.devnull) / "estimates.json", URL, {})
    assert kept(Path(os.devnull) / "estimates.json", URL, {}).ranges == {}
