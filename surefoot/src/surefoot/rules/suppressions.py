"""Suppressions: comments in a revision file that allow a rule to be broken, with the reason.

# allow avoid-dropping-a-column: nothing has read it since release 12
#   and the last row that had a value is gone

A comment may name several rules, with commas between them. It continues on the indented lines
below it. Outside of the functions, as at the head of the file, it covers the whole file. Otherwise
it covers one statement: the one whose lines it stands in, or the next one below it.
"""

import io
import re
import textwrap
import tokenize
from collections.abc import Sequence

from surefoot.frozen import dataclass
from surefoot.rules.python_lines import Lines, lines_of, statement_at, statements

_RULE = "(?:avoid|require)-[a-z-]+"
_RULES = rf"{_RULE}(?:,\s*{_RULE})*"
_COMMENT = re.compile(rf"#\s*allow\s+({_RULES}(?:,|\s*:.*)?)\s*$")
_PARTS = re.compile(rf"({_RULES}),?\s*:?\s*(.*)", re.DOTALL)
_MORE = re.compile(r"#\s{2,}(\S.*?)\s*$")
_WIDTH = 100


@dataclass(frozen=True)
class Suppression:
    """One comment."""

    rule: str
    reason: str
    line: int
    # The lines that it covers; None is the whole file.
    lines: Lines | None = None

    def covers(self, rule: str, line: int) -> bool:
        """Whether it lets a finding of the rule at that line pass."""
        first, last = self.lines or (line, line)
        return rule == self.rule and first <= line <= last

    @property
    def scope(self) -> str:
        """The lines that it covers, for messages."""
        if self.lines is None:
            return "in the whole file"
        first, last = self.lines
        return f"at line {first}" if first == last else f"in lines {first} to {last}"


def suppressions(source: str) -> Sequence[Suppression]:
    """The suppressions in a file."""
    found: list[tuple[int, Lines | None, list[str]]] = []
    last = 0
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type != tokenize.COMMENT:
            continue
        line = token.start[0]
        if match := _COMMENT.match(token.string):
            covered = _covered(source, line, token.line[: token.start[1]])
            found.append((line, covered, [match[1]]))
            last = line
        elif found and last == line - 1 and (more := _MORE.match(token.string)):
            found[-1][2].append(more[1])
            last = line
    parts = ((_PARTS.match(" ".join(texts)), line, covered) for line, covered, texts in found)
    return [
        Suppression(rule.strip(), match[2].strip(), line, covered)
        for match, line, covered in parts
        if match
        for rule in match[1].split(",")
    ]


def _covered(source: str, line: int, before: str) -> Lines | None:
    """The lines that a comment covers: None for all, its own where no statement follows.

    `before` stands before it on its line.
    """
    holding = statement_at(source, line)
    if holding is None:
        return (line, line) if before else None
    if before.strip() or not hasattr(holding, "body"):
        return lines_of(holding)
    below = (s for s in statements(source) if line < s.lineno <= lines_of(holding)[1])
    return next(map(lines_of, below), (line, line))


def comment(rule: str, reason: str) -> str:
    """The comment that suppresses a rule, wrapped to the line length."""
    whole = textwrap.TextWrapper(_WIDTH, break_long_words=False, break_on_hyphens=False)
    whole.subsequent_indent = "#   "
    return whole.fill(f"# allow {rule}: {reason}")
