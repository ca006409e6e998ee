"""A file of the project, run as a module by its text."""

from pathlib import Path

from surefoot.backfill.files import read_backfill

WITH_CLASS = """\
from __future__ import annotations

from dataclasses import dataclass

from surefoot import Backfill


@dataclass
class Rate:
    value: int


class Prices(Backfill):
    after = "0001"
    table = "files"
    todo = "price IS NULL"
    sets = {"price": f"size * {Rate(3).value}"}
"""


def test_a_backfill_may_have_a_class_whose_annotations_are_texts(tmp_path: Path) -> None:
    """Python looks them up in the module of the class."""
    path = tmp_path / "prices.py"
    path.write_text(WITH_CLASS, "utf-8")
    assert read_backfill(path).sets == {"price": "size * 3"}
    path.write_text(WITH_CLASS.replace("(3)", "(4)"), "utf-8")
    assert read_backfill(path).sets == {"price": "size * 4"}
