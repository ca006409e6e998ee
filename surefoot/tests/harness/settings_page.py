"""The reference of the settings: tables of docs/settings.md, made of the fields and their comments.

python tests/harness/settings_page.py
"""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from pathlib import Path
from typing import Any

from surefoot import Backfill, Database, Environment, Limits
from surefoot.connect.throttle import Throttle

PAGE = Path(__file__).resolve().parents[2] / "docs" / "settings.md"
CLASSES: tuple[type[Any], ...] = (Environment, Database, Limits, Throttle, Backfill)
_OF_CLASS = re.compile(r"ClassVar\[(.*)\]")
_TABLE = re.compile(r"(<!-- (\w+): .* -->\n)(?:\|.*\n)*")


def page() -> str:
    """The page with its tables as the classes are; the texts around them stay."""
    return filled(PAGE.read_text("utf-8"), {each.__name__: of(each) for each in CLASSES})


def filled(text: str, tables: Mapping[str, str]) -> str:
    """The text with each table replaced that a comment announces: `<!-- Limits: … -->`."""
    return _TABLE.sub(lambda match: match[1] + tables[match[2]], text)


def table(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A table of Markdown."""
    first = list(heads)
    lines = [first, ["---"] * len(first), *map(list, rows)]
    return "".join(f"|{'|'.join(_cell(each) for each in line)}|\n" for line in lines)


def _cell(text: str) -> str:
    return text if text == "---" else f" {text.replace('|', chr(92) + '|')} "


def of(cls: type[Any]) -> str:
    """The table of a dataclass, or of a class whose subclasses set its attributes."""
    meanings, types = comments(cls), types_of(cls)
    rows = (
        (f"`{name}`", f"`{types[name]}`", default, meanings[name])
        for name, default in defaults(cls).items()
    )
    return table(("field", "type", "default", "meaning"), rows)


def defaults(cls: type[Any]) -> dict[str, str]:
    """The default of each field, or of each attribute that a subclass sets."""
    if is_dataclass(cls):
        return {each.name: _default(each) for each in fields(cls)}
    return {
        each: shown(vars(cls)[each]) if each in vars(cls) else "required"
        for each, type_ in annotations_of(cls).items()
        if _OF_CLASS.fullmatch(type_)
    }


def comments(cls: type[Any]) -> dict[str, str]:
    """The comment above each field."""
    found: dict[str, str] = {}
    above: list[str] = []
    for line in inspect.getsource(cls).splitlines():
        if line.startswith("    # "):
            above.append(line.strip("# "))
        else:
            if named := re.match(r"    (\w+): ", line):
                found[named[1]] = " ".join(above)
            above = []
    return found


def types_of(cls: type[Any]) -> dict[str, str]:
    """The type of each field, as it is written."""
    return {
        name: _OF_CLASS.sub(r"\1", type_).replace(" | ", " or ")
        for name, type_ in annotations_of(cls).items()
    }


def annotations_of(cls: type[Any]) -> dict[str, str]:
    """The annotations in the body of the class, as they are written."""
    (tree,) = ast.parse(inspect.getsource(cls)).body
    assert isinstance(tree, ast.ClassDef)
    return {
        ast.unparse(each.target): ast.unparse(each.annotation)
        for each in tree.body
        if isinstance(each, ast.AnnAssign)
    }


def _default(field: Field[Any]) -> str:
    if field.default is not MISSING:
        value = field.default
    elif field.default_factory is not MISSING:
        value = field.default_factory()
    else:
        return "required"
    return shown(value)


def shown(value: object) -> str:
    """A default as the table shows it: nothing for None and an empty text."""
    if type(value) in CLASSES:
        return f"`{type(value).__name__}()`"
    return "" if value in (None, "") else f"`{value!r}`"


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
