"""docs/settings.md is what the fields of the settings say."""

from __future__ import annotations

import re

from app.settings import Settings, variable
from tests.support import settings_page


def test_the_page_of_the_service_is_current() -> None:
    """Each variable is there, with its default and its meaning."""
    page = settings_page.PAGE.read_text("utf-8")
    assert page == settings_page.page(), "run python tests/support/settings_page.py"
    assert set(re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE)) == {
        variable(name) for name in Settings.model_fields
    }
    assert "|  |\n" not in page, "a setting has no description"
