"""docs/settings.md is what the classes of the settings say."""

from __future__ import annotations

import pytest

from harness.settings_page import CLASSES, PAGE, comments, defaults, page


def test_the_page_is_current() -> None:
    """Each field is there, with its type, its default and its meaning."""
    assert PAGE.read_text("utf-8") == page(), "run python tests/harness/settings_page.py"


@pytest.mark.slow
def test_every_field_has_a_meaning() -> None:
    """A comment of its own above it."""
    without = [
        f"{cls.__name__}.{name}"
        for cls in CLASSES
        for name in defaults(cls)
        if not comments(cls)[name]
    ]
    assert without == []
