"""The title of a revision: the message with which its file was written."""

import ast
import re
from contextlib import suppress
from textwrap import shorten

from surefoot.chain.coding import parsed
from surefoot.chain.revisions import Revision

# On a line of a run, beside its number, its id and how long it took.
_LONGEST = 100
# Alembic's template has them behind the message; one of its own may have no message.
_FIELD = re.compile(r"(?:Revision ID|Revises|Create Date)\s*:", re.IGNORECASE)


def title_in(docstring: str | None) -> str:
    """The first sentence of a docstring, without its full stop; empty where it has none."""
    lines = list[str]()
    for line in map(str.strip, (docstring or "").strip().splitlines()):
        if not line or _FIELD.match(line):
            break
        lines.append(line)
        if line.endswith("."):
            break
    text = " ".join(lines).rstrip(".")
    return text if len(text) <= _LONGEST else shorten(text, _LONGEST, placeholder=" …")


def title_of(revision: Revision) -> str:
    """The title in the file of a revision; the words of its slug where it has none."""
    told = None
    if revision.path is not None:
        with suppress(OSError, SyntaxError, ValueError):
            told = ast.get_docstring(parsed(revision.path.read_bytes()))
    return title_in(told) or revision.words
