"""Text of a database or a file as Markdown, which may hold HTML: none of it becomes markup."""

import re
from collections.abc import Collection, Iterable, Sequence

from surefoot.errors.disclosure import disclosed

# Signs that mean something within a line; `$` begins a formula on GitHub.
_ACTIVE = re.compile(r"[\\`*\[\]<>|~&$]|(?<![^\W_])_+|_+(?![^\W_])")
# Signs that mean something where a line begins: of a heading, a list or a rule.
_BEGINS = re.compile(r"[#+=-]|\d(?=\d*[.)])")
# A person or an issue would be told that they are mentioned; nobody is by code.
_MENTIONS = re.compile(r"[@#](?=\w)")
_SIGN = re.compile(r"[^\w ]")
_PLAIN = re.compile(r"[^`|\n\r]*[^`|\s][^`|\n\r]*")


def prose(text: str) -> str:
    """The text as a line of Markdown, or within one."""
    pieces, end = [], 0
    line = " ".join(disclosed(text).split())
    for found in _MENTIONS.finditer(line):
        pieces += [_ACTIVE.sub(_reference, line[end : found.start()]), f"<code>{found[0]}</code>"]
        end = found.end()
    escaped = "".join([*pieces, _ACTIVE.sub(_reference, line[end:])])
    begins = _BEGINS.match(escaped)
    return _reference(begins) + escaped[1:] if begins else escaped


def code(text: str) -> str:
    """The text as code within a line, also of a table; as HTML where backticks cannot hold it."""
    shown = disclosed(text)
    if _PLAIN.fullmatch(shown):
        return f"`{shown}`"
    return f"<code>{_SIGN.sub(_reference, ' '.join(shown.split()))}</code>"


def block(text: str, language: str = "") -> str:
    """The text as lines of code, within a fence that is longer than any in it."""
    shown = disclosed(text).strip("\n")
    fence = "`" * max([3, *(len(each) + 1 for each in re.findall("`+", shown))])
    return f"{fence}{language}\n{shown}\n{fence}"


def fold(summary: str, *inner: str) -> str:
    """A part that is opened by its summary, which is HTML; blank lines let Markdown begin."""
    body = "\n\n".join(inner)
    return f"<details>\n<summary>{summary}</summary>\n\n{body}\n\n</details>"


def table(
    heads: Sequence[str], rows: Iterable[Sequence[str]], *, numbers: Collection[str] = ()
) -> str:
    """A table of cells that are Markdown; the columns of these heads are of numbers."""
    ruler = ["---:" if each in numbers else "---" for each in heads]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (heads, ruler, *rows))


def _reference(found: re.Match[str]) -> str:
    return "".join(f"&#{ord(each)};" for each in found[0])
