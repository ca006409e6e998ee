"""The reference of the service's settings: the table of docs/settings.md, made of the fields.

python tests/support/settings_page.py
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from pydantic.fields import FieldInfo

from app import PROJECT_ROOT
from app.settings import Settings, variable
from harness.settings_page import filled, table

PAGE = PROJECT_ROOT / "docs" / "settings.md"


def page() -> str:
    """The page with its table as the settings are; the texts around it stay."""
    return filled(PAGE.read_text("utf-8"), {"Settings": of_settings()})


def of_settings() -> str:
    """The table of every variable."""
    rows = (
        (f"`{variable(name)}`", _values(field), _default(field), field.description or "")
        for name, field in Settings.model_fields.items()
    )
    return table(("variable", "value", "default", "meaning"), rows)


def _values(field: FieldInfo) -> str:
    """The kind of a value, with its bounds."""
    given: Any = field.annotation
    if get_origin(given) is Literal:
        return ", ".join(f"`{each}`" for each in get_args(given))
    text = " ".join(map(str, (given, *get_args(given))))
    kinds = {
        "Secret": "URL",
        "Path": "path",
        "float": "number",
        "int": "number",
        "bool": "yes or no",
    }
    kind = next((said for name, said in kinds.items() if name in text), "text")
    if "dict" in text:
        kind = f"{kind}s by name"
    bounds = {"gt": "over", "ge": "from", "le": "to"}
    limits = (
        f"{word} {getattr(each, name):,}"
        for name, word in bounds.items()
        for each in field.metadata
        if getattr(each, name, None) is not None
    )
    return " ".join((kind, *limits))


def _default(field: FieldInfo) -> str:
    value = field.get_default(call_default_factory=True)
    if value is None or value == {}:
        return ""
    if isinstance(value, Path):
        return f"`{value.relative_to(PROJECT_ROOT)}`"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"`{value:g}`" if isinstance(value, float) else f"`{value}`"


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
