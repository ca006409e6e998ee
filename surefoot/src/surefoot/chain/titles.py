"""The title of a revision: the message with which its file was written."""

import ast
from contextlib import suppress

from surefoot.chain.revisions import Revision


def title_of(revision: Revision) -> str:
    """The first lines of the docstring of its file; the words of its slug without a file."""
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
    # As Alembic has it, without the line breaks and the full stop.
    first = (told or "").split("\n\n", 1)[0]
    return " ".join(first.split()).rstrip(".") or revision.words
