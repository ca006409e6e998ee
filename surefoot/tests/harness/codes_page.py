"""The reference of the codes: the tables of docs/codes.md, as the library has them.

python -m harness.codes_page
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from pathlib import Path

from harness.settings_page import table
from surefoot.errors import SurefootError
from surefoot.errors.base import WARNINGS, every_error

PAGE = Path(__file__).resolve().parents[2] / "docs" / "codes.md"
_TABLE = re.compile(r"(<!-- (Errors|Warnings): .* -->\n)(?:\|.*\n)*")


def page() -> str:
    """The page with its tables as the library has them; the texts around them stay."""
    tables = {"Errors": errors(), "Warnings": warnings()}
    return _TABLE.sub(lambda match: match[1] + tables[match[2]], PAGE.read_text("utf-8"))


def errors() -> str:
    """The table of the errors, by their codes."""
    rows = (
        (f"`{code}`", str(each.exit_code), (inspect.getdoc(each) or "").splitlines()[0])
        for code, each in sorted(classes().items())
    )
    return table(("code", "exit code", "meaning"), rows)


def warnings() -> str:
    """The table of the codes that are warnings alone."""
    rows = ((f"`{code}`", meaning) for code, meaning in sorted(WARNINGS.items()))
    return table(("code", "meaning"), rows)


def classes() -> Mapping[str, type[SurefootError]]:
    """The class of each code of the library; of two classes of one code the more general."""
    found: dict[str, type[SurefootError]] = {}
    for each in every_error():
        if each.__module__.startswith("surefoot."):  # and no class of an application or of a test
            found.setdefault(each.code, each)
    return found


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
