"""The text of a revision file: RevisionTexts fills its template, where it is called `page`.

SQL is formatted over several lines, and no line is longer than 100 characters. Strings are spelled
differently and keep their values: the code does what Alembic rendered.
"""

import ast
import io
import itertools
import re
import textwrap
import tokenize
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from surefoot.errors.names import program

_WIDTH = 100
_ALEMBIC_REMARK = re.compile(r"^# ### .* ###$\n?", re.MULTILINE)
_LONGEST_PIECE = 70
_PIECES = textwrap.TextWrapper(
    _LONGEST_PIECE,
    drop_whitespace=False,
    replace_whitespace=False,
    expand_tabs=False,
    break_long_words=False,
    break_on_hyphens=False,
)
_INDENT = " " * 4


def docstring(text: str, first: int = 0) -> str:
    safe = re.sub(r'"{3,}', "'''", text.replace("\\", "\\\\"))
    lines = textwrap.wrap(
        safe, _WIDTH, initial_indent=" " * first, break_long_words=False, break_on_hyphens=False
    )
    return "\n".join(lines)[first:]


def body(rendered: str | None) -> str:
    """The formatted body of a function; all lines but the first are indented."""
    rendered = (rendered or "pass").strip()
    code = _ALEMBIC_REMARK.sub("", textwrap.dedent(_INDENT + rendered)).strip()
    strings: list[str] = []
    for start, end, text in reversed(list(string_tokens(code))):
        spelled = _spelled(text)
        if spelled != text:
            # Inserted after the lines are indented: the text in a string must not move.
            strings.append(spelled)
            code = f"{code[:start]}\0{len(strings) - 1}\0{code[end:]}"
    code = textwrap.indent(code, _INDENT)
    code = re.sub(r"\0(\d+)\0", lambda match: strings[int(match[1])], code)
    # A string stands in a statement, on whose first line there is no comment.
    if all(line.lstrip().startswith("#") for line in code.splitlines()):
        code += f"\n{_INDENT}pass"
    return code.strip()


def imports(
    rendered: str | None, upgrade: str | None, downgrade: str | None, *, by_hand: bool = False
) -> list[str]:
    """The imports that the bodies need, in their order; the usual ones for bodies yet to write."""
    code = f"{upgrade or ''}\n{downgrade or ''}"
    by_hand = by_hand and not re.search(r"\bop\.", code)
    return [
        *(["import sqlalchemy as sa"] if by_hand or re.search(r"\bsa\.", code) else []),
        *(["from alembic import op"] if by_hand or re.search(r"\bop\.", code) else []),
        *sorted(line for line in (rendered or "").splitlines() if line.strip()),
    ]


def string_tokens(code: str) -> Iterator[tuple[int, int, str]]:
    """The start, the end and the source of each string in the code."""
    starts = [0, *itertools.accumulate(map(len, code.splitlines(keepends=True)))]
    for token in tokenize.generate_tokens(io.StringIO(code).readline):
        if token.type == tokenize.STRING:
            (row, column), (end_row, end_column) = token.start, token.end
            yield starts[row - 1] + column, starts[end_row - 1] + end_column, token.string


def _spelled(text: str) -> str:
    value = ast.literal_eval(text)
    if not isinstance(value, str):
        return text
    if "\n" in value:
        return _over_lines(value) or _in_pieces(value.splitlines(keepends=True))
    if len(text) > _LONGEST_PIECE:
        return _in_pieces([value])
    return text


def _over_lines(value: str) -> str | None:
    """The text between triple quotes; None where it would need escapes."""
    if re.search(r"[ \t\r]$", value.rstrip(" "), re.MULTILINE):
        return None
    for prefix in ("", "r"):
        spelled = f'{prefix}"""{value}"""'
        with suppress(SyntaxError):
            if ast.literal_eval(spelled) == value and ("\\" in value) == bool(prefix):
                return spelled
    return None


def _in_pieces(lines: list[str]) -> str:
    pieces = [piece for line in lines for piece in _PIECES.wrap(line)]
    return f"\n{_INDENT * 2}".join(map(repr, pieces))


@dataclass(frozen=True)
class RevisionText:
    """The generated texts of one revision; a person adds the rest.

    The defaults are for an empty revision and for a merge, which as they are break no release.
    """

    why: str = "<The reason, and facts that the code below does not show.>"
    phase: str = "expand"
    locks: str = "<which locks, on which tables, for how long>"
    undo: str = "<the effect of the downgrade, and the data that it cannot restore>"
    # The backfills that have to be complete before it.
    requires_backfill: str | tuple[str, ...] = ()


def unmeasured() -> str:
    """The text of a line that a trace completes."""
    return f"not measured; `{program()} plan` measures it."


@dataclass
class RevisionTexts:
    """The texts of the revisions that are being written, by id."""

    texts: dict[str, RevisionText] = field(default_factory=dict)
    # Those whose operations nobody has planned, so that a person has to review the phase.
    unplanned: set[str] = field(default_factory=set)
    body = staticmethod(body)
    imports = staticmethod(imports)

    def of(self, revision: str) -> RevisionText:
        """The texts of a revision; the defaults where none were generated."""
        phase = "contract" if revision in self.unplanned else "expand"
        return self.texts.get(revision, RevisionText(phase=phase))

    @staticmethod
    def title(message: str) -> str:
        """The message as the first lines of a docstring."""
        text = " ".join(message.split())
        text = text[:1].upper() + text[1:]
        return docstring(text if text.endswith((".", "!", "?")) else f"{text}.", first=3)

    @staticmethod
    def line(word: str, text: str) -> str:
        """`Locks: …`, over as many lines as it takes."""
        return docstring(f"{word}: {text}")

    @staticmethod
    def literal(value: Any) -> str:
        if value is None or isinstance(value, str):
            return "None" if value is None else f'"{value}"'
        items = [RevisionTexts.literal(item) for item in value]
        return f"({', '.join(items)}{',' if len(items) == 1 else ''})"
