"""docs/codes.md is what the classes of the errors say."""

from __future__ import annotations

import re

from harness.codes_page import PAGE, classes, page
from harness.server import LIBRARY


def test_the_page_is_current() -> None:
    """Each code is there, with its exit code and its meaning."""
    assert PAGE.read_text("utf-8") == page(), "run python -m harness.codes_page"


def test_the_page_has_every_warning() -> None:
    """Those that are no error in any case."""
    found = {
        code
        for path in (LIBRARY / "src").rglob("*.py")
        for code in re.findall(r'Warned\("([a-z-]+)"', path.read_text("utf-8"))
    }
    listed = PAGE.read_text("utf-8").partition("## Warnings")[2]
    assert found - classes().keys() == set(re.findall(r"^\| `([a-z-]+)` \|", listed, re.MULTILINE))
