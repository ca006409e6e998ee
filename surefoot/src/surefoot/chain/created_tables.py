"""created_tables() reads which tables a revision creates, as far as its text shows."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from surefoot.chain.coding import parsed
from surefoot.quoting import in_schema

_NAME = r'(?:"[^"]+"|\w+)'
_SQL = re.compile(
    r"\bCREATE\s+(?:UNLOGGED\s+)?TABLE\s+(?:IF\s+NOT\s+EXISTS\s+)?"
    rf"(?:({_NAME})\s*\.\s*)?({_NAME})",
    re.IGNORECASE,
)


def created_tables(path: Path) -> Iterator[str]:
    """Their names, with a schema where one is given.

    Those of the downgrade are left out: it may create one that had another name before.
    """
    for part in parsed(path.read_bytes()).body:
        is_downgrade = isinstance(part, ast.FunctionDef) and part.name == "downgrade"
        if isinstance(part, ast.Expr) or is_downgrade:
            continue
        for node in ast.walk(part):
            yield from _created(node)


def _created(node: ast.AST) -> Iterator[str]:
    match node:
        case ast.Call(
            func=ast.Attribute(attr="create_table"),
            args=[ast.Constant(value=str(name)), *_],
            keywords=options,
        ):
            # One without a name, `**options`, may hold the schema.
            given = {each.arg or "schema": each.value for each in options}
            match given.get("schema", ast.Constant(None)):
                case ast.Constant(value=str() | None as schema):
                    yield in_schema(schema, name)
        case ast.Constant(value=str(sql)):
            for schema, name in _SQL.findall(sql):
                yield in_schema(_plain(schema) or None, _plain(name))


def _plain(name: str) -> str:
    return name.strip('"') if name.startswith('"') else name.lower()
