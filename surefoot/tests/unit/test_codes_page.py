"""docs/codes.md is what the classes of the errors say."""

from __future__ import annotations

import re
import subprocess
import sys

from click.testing import CliRunner

from harness.codes_page import PAGE, classes, page
from harness.server import LIBRARY
from surefoot.cli import surefoot
from surefoot.errors import WARNINGS


def test_the_page_is_current() -> None:
    """Each code is there, with its exit code and its meaning."""
    assert PAGE.read_text("utf-8") == page(), "run python -m harness.codes_page"


def test_an_error_is_explained_without_docstrings() -> None:
    """Python has left them out with -OO; those of Exception are no meaning."""
    done = subprocess.run(
        [sys.executable, "-OO", "-m", "surefoot", "explain", "mutex-held"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.startswith("error [mutex-held]  Python runs without docstrings")


def test_every_warning_is_known() -> None:
    """Those that are no error in any case; `surefoot explain` says them, too."""
    found = {
        code
        for path in (LIBRARY / "src").rglob("*.py")
        for code in re.findall(r'Warned\("([a-z-]+)"', path.read_text("utf-8"))
    }
    assert found - classes().keys() == WARNINGS.keys()
    for code, meaning in WARNINGS.items():
        said = CliRunner().invoke(surefoot, ["explain", code]).output
        assert said.startswith(f"warning [{code}]  {meaning}\n")
