"""changing_imports() finds the imports that tie a revision to its application."""

import ast
import re
import sys
from collections.abc import Iterator

from surefoot.chain.coding import parsed

# Modules that do not change with the application.
_STEADY = {"alembic", "sqlalchemy", *sys.stdlib_module_names}
# A line that imports from one module, or one module.
_IMPORT = re.compile(
    rb"^[ \t]*(?:from[ \t]+([.\w]+)[ \t]+import\b|import[ \t]+([.\w]+)[^,;\n]*$)", re.MULTILINE
)


def changing_imports(source: bytes) -> Iterator[tuple[int, str]]:
    """The line and the name of each imported module that may change with the application."""
    lines = _IMPORT.findall(source)
    named = {(of or alone).partition(b".")[0].decode() for of, alone in lines}
    if named <= _STEADY and len(lines) == source.count(b"import"):
        return  # parsing would take much longer
    for node in ast.walk(parsed(source)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = ["." * node.level + (node.module or "")]
        else:
            continue
        for name in names:
            if not is_steady(name):
                yield node.lineno, name


def is_steady(name: str) -> bool:
    """Whether a module does not change with the application."""
    return name.partition(".")[0] in _STEADY
