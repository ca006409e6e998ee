"""checksum() identifies a revision file by its code: formatting does not change it.

Line ends, comments, docstrings, quotes and parentheses do not count; everything that runs does. The
syntax tree is hashed in a text form of this module, as `ast.dump` and `ast.unparse` differ between
versions of Python.
"""

import ast
import hashlib

_DOCUMENTED = (ast.Module, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
# The position of a node, and hints for type checkers.
_IGNORED = frozenset({"ctx", "kind", "type_comment", "type_ignores"})


def checksum(tree: ast.Module) -> str:
    """SHA-256 of the code, as 64 hexadecimal digits."""
    pieces: list[str] = []
    _spell(tree, pieces)
    return hashlib.sha256("".join(pieces).encode("utf-8", "surrogatepass")).hexdigest()


def _spell(node: object, pieces: list[str]) -> None:
    if isinstance(node, ast.AST):
        pieces.append(f"({type(node).__name__}")
        for name in node._fields:
            value = getattr(node, name, None)
            # A field that a newer Python adds is empty in code that an older Python can parse.
            if value is None or value == [] or name in _IGNORED:
                continue
            if (
                name == "body"
                and isinstance(node, _DOCUMENTED)
                and ast.get_docstring(node, clean=False) is not None
            ):
                value = value[1:]
                if not value:
                    continue
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
        pieces.append(f"{type(node).__name__}:{node!r}")
