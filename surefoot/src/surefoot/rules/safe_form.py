"""A safe form is a template of Python; the names of a finding stand in braces.

{column}          a name, within a string of Python
{table}{schema}   a table for an operation, and `, schema="…"` where it is not in `public`
{table:sql}       a name as SQL writes it, qualified and quoted, within a string of Python
{columns}         of several names: each as a string of its own

A name that is not known stands for itself: `op.drop_column("table", "column")`.
"""

import re
from collections.abc import Mapping
from typing import Any

from surefoot.quoting import quoted

_NAME = re.compile(r"\{(\w+)(:sql)?\}")


def filled(template: str, values: Mapping[str, Any]) -> str:
    """The safe form with the names of a finding, as far as they are known."""

    def fill(found: re.Match[str]) -> str:
        key, sql = found.groups()
        schema, _, table = str(values.get("table") or "table").rpartition(".")
        if key == "schema":
            return f', schema="{_escaped(schema)}"' if schema else ""
        value = values.get(key) or key
        if isinstance(value, (tuple, list)):
            return ", ".join(f'"{_escaped(each)}"' for each in value)
        if sql:
            return _escaped(".".join(map(quoted, str(value).split("."))))
        return _escaped(table if key == "table" else str(value))

    return _NAME.sub(fill, template)


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
