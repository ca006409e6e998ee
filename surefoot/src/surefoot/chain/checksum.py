"""checksum() identifies a revision file by its code: formatting does not change it.

Line ends, comments, docstrings, quotes and parentheses do not count; everything that runs does. The
syntax tree is hashed in a text form of this module, as `ast.dump` and `ast.unparse` differ between
versions of Python.
"""

import ast
import hashlib
import re
from collections.abc import Iterator
from typing import Any

_DOCUMENTED = (ast.Module, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
# The position of a node, and hints for type checkers.
_IGNORED = frozenset({"ctx", "kind", "type_comment", "type_ignores"})
# The fields of Python 3.10 that count where they are 0, False or ''. Newer versions add fields, as
# 3.15 adds `is_lazy` to imports.
_COUNTS_EMPTY = frozenset({"value", "level", "is_async", "simple"})
# The characters beyond ASCII that are spelled by their number, as `repr` has them in Python 3.10:
# those that Unicode 13 calls controls, formats, separators, surrogates, private or noncharacters. A
# newer Python has a newer Unicode, and its `repr` escapes others.
_BY_NUMBER = re.compile(
    "[\x80-\xa0\xad\u0600-\u0605\u061c\u06dd\u070f\u08e2\u1680\u180e\u2000-\u200f\u2028-\u202f"
    "\u205f-\u2064\u2066-\u206f\u3000\ud7fc-\uf8ff\ufdd0-\ufdef\ufeff\ufff9-\ufffb\ufffe\uffff"
    "\U000110bd\U000110cd\U00013430-\U00013438\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    "\U000e0001\U000e0020-\U000e007f\U000e01f0-\U0010ffff]"
)


def checksum(tree: ast.Module) -> str:
    """SHA-256 of the code, as 64 hexadecimal digits."""
    pieces: list[str] = []
    _spell(tree, pieces)
    return hashlib.sha256("".join(pieces).encode("utf-8", "surrogatepass")).hexdigest()


def _spell(node: object, pieces: list[str]) -> None:
    if isinstance(node, ast.AST):
        pieces.append(f"({type(node).__name__}")
        for name, value in _fields(node):
            pieces.append(f" {name}=")
            _spell(value, pieces)
        pieces.append(")")
    elif isinstance(node, list):
        pieces.append("[")
        for item in node:
            _spell(item, pieces)
            pieces.append(",")
        pieces.append("]")
    else:
        spelled = _quoted(node) if isinstance(node, str) else repr(node)
        pieces.append(f"{type(node).__name__}:{spelled}")


def _fields(node: ast.AST) -> Iterator[tuple[str, object]]:
    """The fields of a node that count, with the same values on every Python."""
    for name in node._fields:
        value: Any = getattr(node, name, None)
        if name == "body" and isinstance(node, _DOCUMENTED):
            value = value[ast.get_docstring(node, clean=False) is not None :]
        elif isinstance(node, ast.JoinedStr):
            # Python 3.12.1 ends the format of `f"{a:{b}}"` with an empty string; 3.13 does not.
            value = [each for each in value if not _is_empty(each)]
        if value is None or value == [] or name in _IGNORED:
            continue
        # A field that a newer Python adds is empty in code that an older one can parse.
        if value or name in _COUNTS_EMPTY:
            yield name, value


def _is_empty(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value == ""


def _quoted(text: str) -> str:
    """As `repr` has it in Python 3.10, but for characters that are newer than Unicode 13."""
    if text.isascii():
        return repr(text)
    quote = '"' if "'" in text and '"' not in text else "'"
    return f"{quote}{''.join(_escaped(each, quote) for each in text)}{quote}"


def _escaped(character: str, quote: str) -> str:
    if character == quote:
        return f"\\{character}"
    if character.isascii():
        return character if character in "'\"" else repr(character)[1:-1]
    return ascii(character)[1:-1] if _BY_NUMBER.match(character) else character
