"""Suppressions: comments in a revision file that allow a rule to be broken, with the reason.

# allow avoid-dropping-a-column: nothing has read it since release 12
#   and the last row that had a value is gone

A reason continues on the indented lines below it.
"""

import io
import re
import textwrap
import tokenize
from collections.abc import Sequence
from dataclasses import dataclass, replace

_COMMENT = re.compile(r"#\s*allow\s+((?:avoid|require)-[a-z-]+)\s*(?::\s*(.*?)\s*)?$")
_MORE = re.compile(r"#\s{2,}(\S.*?)\s*$")
_WIDTH = 100


@dataclass(frozen=True)
class Suppression:
    """One comment."""

    rule: str
    reason: str
    line: int


def suppressions(source: str) -> Sequence[Suppression]:
    """The suppressions in a file; each applies to the whole file."""
    found: list[Suppression] = []
    last = 0
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type != tokenize.COMMENT:
            continue
        line = token.start[0]
        if match := _COMMENT.match(token.string):
            found.append(Suppression(match[1], match[2] or "", line))
            last = line
        elif last == line - 1 and (more := _MORE.match(token.string)):
            found[-1] = replace(found[-1], reason=f"{found[-1].reason} {more[1]}".strip())
            last = line
    return found


def comment(rule: str, reason: str) -> str:
    """The comment that suppresses a rule, wrapped to the line length."""
    whole = textwrap.TextWrapper(_WIDTH, break_long_words=False, break_on_hyphens=False)
    whole.subsequent_indent = "#   "
    return whole.fill(f"# allow {rule}: {reason}")
