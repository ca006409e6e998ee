"""The title of a revision: the message with which its file was written."""

import ast
import re
from contextlib import suppress

from surefoot.chain.revisions import Revision

# Alembic's template has them behind the message; one of its own may have no message.
_FIELD = re.compile(r"(?:Revision ID|Revises|Create Date)\s*:", re.IGNORECASE)


def title_in(docstring: str | None) -> str:
    """The first line of a docstring, without its full stop; empty where it has none."""
    line = (docstring or "").strip().partition("\n")[0].strip().rstrip(".")
    return "" if _FIELD.match(line) else line


def title_of(revision: Revision) -> str:
    """The title in the file of a revision; the words of its slug without one."""
    code: bytes | None = None
    if revision.path is not None:
        with suppress(OSError):
            code = revision.path.read_bytes()
    return titled(revision, code)


def titled(revision: Revision, code: bytes | None) -> str:
    """The same, where the bytes of the file are at hand."""
    told = None
    with suppress(SyntaxError, ValueError):
        told = code and ast.get_docstring(ast.parse(code))
    return title_in(told or None) or revision.words
