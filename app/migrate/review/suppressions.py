"""Suppressions: comments in a revision file that name a rule and the reason why it may be broken.

# allow avoid-dropping-a-column: nothing has read it since release 12
"""

from __future__ import annotations

import io
import re
import tokenize
from collections.abc import Sequence
from dataclasses import dataclass

_COMMENT = re.compile(r"#\s*allow\s+((?:avoid|require)-[a-z-]+)\s*(?::\s*(.*?)\s*)?$")


@dataclass(frozen=True)
class Suppression:
    """One comment."""

    rule: str
    reason: str
    line: int


def suppressions(source: str) -> Sequence[Suppression]:
    """Those of a file; each counts for the whole of it, which is one change."""
    found = []
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            match = _COMMENT.match(token.string)
            if match:
                found.append(Suppression(match[1], match[2] or "", token.start[0]))
    return found
