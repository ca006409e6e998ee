"""tying_imports() finds the imports that script.py.mako writes into each new revision."""

import re
from collections.abc import Iterator
from pathlib import Path

from surefoot.adoption.env_file import Remark
from surefoot.adoption.ini_file import text_of
from surefoot.chain.imports import is_steady

NAME = "script.py.mako"
RULE = "avoid-importing-the-application"
CURE = (
    "move them into the revisions that need them, or allow them in the template: "
    f"# allow {RULE}: <the reason>"
)
# Python that Mako runs, and its comments: nothing of them is in a revision.
_OF_MAKO = re.compile(r"<%.*?%>|<%doc>.*?</%doc>|^[ \t]*##[^\n]*", re.DOTALL | re.MULTILINE)
_IMPORT = re.compile(r"from\s+([.\w]+)\s+import\b|import\s+([\w.,\s]+)")
_ALLOWED = re.compile(rf"^#\s*allow\s.*{RULE}", re.MULTILINE)


def tying_imports(folder: Path) -> Iterator[Remark]:
    """Those of modules that may change with the application, where nothing in it allows them.

    On failure: ConfigurationInvalid, where the template cannot be read.
    """
    path = folder / NAME
    text = text_of(path) if path.is_file() else ""
    text = _OF_MAKO.sub(lambda found: "\n" * found[0].count("\n"), text)
    if _ALLOWED.search(text):
        return
    for number, line in enumerate(text.splitlines(), 1):
        found = _IMPORT.match(line)
        named = (found[1] or found[2]).split(",") if found else ()
        if not all(is_steady(each.split()[0]) for each in named if each.strip()):
            yield Remark(number, line.rstrip(" ("), CURE)
