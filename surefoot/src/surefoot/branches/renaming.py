"""renamed() writes other ids into the text of a revision or of a backfill, and nothing else.

The names that place a revision, docstrings and comments are written. A string in the code is left
as it is, and told: it may be data.
"""

import ast
import io
import re
import tokenize
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from surefoot.chain.coding import parsed
from surefoot.errors import RevisionsBroken, UsageError
from surefoot.frozen import dataclass

# The names with ids as their values: of a revision, and of the class of a backfill.
_OF_REVISION = ("revision", "depends_on", "requires_code")
_OF_BACKFILL = ("after",)
_REVISES = re.compile(r"^([ \t]*Revises:[ \t]*)[^\r\n]*", re.MULTILINE)
# Before a short id or a number, which may be any word.
_SAID = r"(?:[Rr]evisions?|[Rr]evision ID:|[Rr]evises:)\s+"
_LONG = 4


@dataclass(frozen=True)
class Renamed:
    """A text with other ids, and the lines whose strings have an id that was left."""

    code: bytes
    left: Sequence[int] = ()


def renamed(
    path: Path, code: bytes, ids: Mapping[str, str], down: Sequence[str] | None = None
) -> Renamed:
    """The text of a file in which each id has become another; `down` are its predecessors now.

    A backfill has no predecessors. On failure: RevisionsBroken where it is not Python, UsageError
    where an id is computed.
    """
    try:
        encoding = tokenize.detect_encoding(io.BytesIO(code).readline)[0]
        text = code.decode(encoding)
        tree = parsed(code, str(path))
        tokens = [*tokenize.generate_tokens(io.StringIO(text, newline="").readline)]
    except (SyntaxError, ValueError, tokenize.TokenError) as error:
        line = getattr(error, "lineno", None) or 1
        raise RevisionsBroken(
            f"{path.name}:{line} is not Python", help="correct the file"
        ) from None
    file = _File(path, text, ids)
    edits = [*file.values(tree, down), *file.said(tree, tokens, down)]
    for start, end, new in sorted(edits, reverse=True):
        text = text[:start] + new + text[end:]
    return Renamed(text.encode(encoding), [*file.left(tree, tokens)])


class _File:
    """The places of a text that have an id."""

    def __init__(self, path: Path, text: str, ids: Mapping[str, str]) -> None:
        self._path, self._text, self._ids = path, text, ids
        self._lines = [0]
        for line in io.StringIO(text, newline=""):
            self._lines.append(self._lines[-1] + len(line))
        words = [_word(each) for each in sorted(ids, key=len, reverse=True)]
        self._mention = re.compile("|".join(words)) if words else None

    def values(
        self, tree: ast.Module, down: Sequence[str] | None
    ) -> Iterator[tuple[int, int, str]]:
        """The ids among the values. On failure: UsageError."""
        for name, value in _bound(tree.body):
            if name == "down_revision" and down is not None:
                if self._literal(name, value) != _one_or_all(down):
                    yield (*self._place(value), _spelled(down))
            elif name in _OF_REVISION and down is not None:
                self._literal(name, value)
                yield from self._strings(value)
        if down is None:
            for each in tree.body:
                for name, value in _bound(each.body) if isinstance(each, ast.ClassDef) else ():
                    if name in _OF_BACKFILL:
                        yield from self._strings(value)

    def said(
        self, tree: ast.Module, tokens: Sequence[tokenize.TokenInfo], down: Sequence[str] | None
    ) -> Iterator[tuple[int, int, str]]:
        """The ids in comments and docstrings."""
        documented = {self._place(each)[0] for each in _docstrings(tree)}
        for token in tokens:
            start = self._lines[token.start[0] - 1] + token.start[1]
            end = self._lines[token.end[0] - 1] + token.end[1]
            if token.type != tokenize.COMMENT and start not in documented:
                continue
            if token.type not in (tokenize.COMMENT, tokenize.STRING):
                continue
            old = self._text[start:end]  # the token itself may have other line ends
            new = self._mention.sub(self._other, old) if self._mention else old
            if down is not None and token.type == tokenize.STRING:
                new = _REVISES.sub(rf"\g<1>{', '.join(down)}", new)
            if new != old:
                yield start, end, new

    def left(self, tree: ast.Module, tokens: Sequence[tokenize.TokenInfo]) -> Iterator[int]:
        """The lines of strings that have an id as a word and were not written."""
        written = {self._place(each)[0] for each in _docstrings(tree)}
        for name, value in _bound(tree.body):
            if name in (*_OF_REVISION, "down_revision"):
                written |= {self._place(each)[0] for each, _ in _texts(value)}
        for token in tokens if self._mention else ():
            start = self._lines[token.start[0] - 1] + token.start[1]
            is_string = token.type == tokenize.STRING and start not in written
            if is_string and any(_bare(each).search(token.string) for each in self._ids):
                yield token.start[0]

    def _strings(self, value: ast.expr) -> Iterator[tuple[int, int, str]]:
        for each, text in _texts(value):
            if text in self._ids:
                start, end = self._place(each)
                quote = self._text[start:end].lstrip("rRuUbB")[:1]
                yield start, end, f"{quote}{self._ids[text]}{quote}"

    def _literal(self, name: str, value: ast.expr) -> object:
        try:
            found = ast.literal_eval(value)
        except ValueError:
            raise UsageError(
                f"{self._path.name} computes {name}, so no other id can be written there",
                help="write it as a string",
            ) from None
        return tuple(found) if isinstance(found, (list, set)) else found

    def _other(self, found: re.Match[str]) -> str:
        text, longest_first = found[0], sorted(self._ids, key=len, reverse=True)
        old = next(each for each in longest_first if text.endswith(each))
        return text[: -len(old)] + self._ids[old]

    def _place(self, node: ast.expr) -> tuple[int, int]:
        """The first and the last place; `ast` counts bytes of UTF-8."""
        return self._at(node.lineno, node.col_offset), self._at(
            node.end_lineno or node.lineno, node.end_col_offset or node.col_offset
        )

    def _at(self, line: int, column: int) -> int:
        start = self._lines[line - 1]
        end = self._lines[line] if line < len(self._lines) else len(self._text)
        return start + len(self._text[start:end].encode()[:column].decode())


def _bound(body: Sequence[ast.stmt]) -> Iterator[tuple[str, ast.expr]]:
    """The names that statements bind, each with its value."""
    for statement in body:
        targets = statement.targets if isinstance(statement, ast.Assign) else []
        targets = [statement.target] if isinstance(statement, ast.AnnAssign) else targets
        value: ast.expr | None = getattr(statement, "value", None)
        if value is None:
            continue
        for target in targets:
            if isinstance(target, ast.Name):
                yield target.id, value
            elif isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
                for one, its in zip(target.elts, value.elts, strict=False):
                    if isinstance(one, ast.Name):
                        yield one.id, its


def _docstrings(tree: ast.Module) -> Iterator[ast.expr]:
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)):
            match node.body:
                case [ast.Expr(value=ast.Constant(value=str()) as found), *_]:
                    yield found


def _texts(value: ast.expr) -> Iterator[tuple[ast.expr, str]]:
    """The strings in a value."""
    for node in ast.walk(value):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node, node.value


def _word(identifier: str) -> str:
    """An id in a sentence; one that could be any number or word follows `revision`."""
    is_plain = len(identifier) < _LONG or (identifier.isdecimal() and identifier[0] != "0")
    return f"{_SAID if is_plain else ''}{_bare(identifier).pattern}"


def _bare(identifier: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![\w.]){re.escape(identifier)}(?![\w])")


def _one_or_all(down: Sequence[str]) -> object:
    return down[0] if len(down) == 1 else tuple(down) or None


def _spelled(down: Sequence[str]) -> str:
    each = [f'"{one}"' for one in down]
    return each[0] if len(each) == 1 else f"({', '.join(each)})" if each else "None"
