"""The title of a revision: the message with which its file was written."""

import ast
import re
from contextlib import suppress

from surefoot.chain.coding import parsed
from surefoot.chain.revisions import Revision

# Alembic's template has them behind the message; one of its own may have no message.
_FIELD = re.compile(r"(?:Revision ID|Revises|Create Date)\s*:", re.IGNORECASE)


def title_in(docstring: str | None) -> str:
    """The first line of a docstring, without its full stop; empty where it has none."""
    line = (docstring or "").strip().partition("\n")[0].strip().rstrip(".")
    return "" if _FIELD.match(line) else line


def title_of(revision: Revision) -> str:
    """The title in the file of a revision; the words of its slug where it has none."""
    told = None
    if revision.path is not None:
        with suppress(OSError, SyntaxError, ValueError):
            told = ast.get_docstring(parsed(revision.path.read_bytes()))
    return title_in(told) or revision.words
