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

# Their names may be qualified, as a message has them; an operation takes the schema apart.
_IN_A_SCHEMA = ("table", "view", "name")
_NAME = re.compile(r"\{(\w+)(:sql)?\}")


def filled(template: str, values: Mapping[str, Any]) -> str:
    """The safe form with the names of a finding, as far as they are known."""

    def fill(found: re.Match[str]) -> str:
        key, sql = found.groups()
        if key == "schema":
            schema = str(values.get("table", "")).rpartition(".")[0]
            return f', schema="{_escaped(schema)}"' if schema else ""
        value = values.get(key) or key
        if value == key or (isinstance(value, tuple) and not all(value)):
            return key  # as the name of an expression
        if isinstance(value, tuple):
            spelled = map(quoted, value) if sql else (f'"{_escaped(each)}"' for each in value)
            return _escaped(", ".join(spelled)) if sql else ", ".join(spelled)
        if sql:
            return _escaped(".".join(map(quoted, str(value).split("."))))
        return _escaped(value.rpartition(".")[2] if key in _IN_A_SCHEMA else str(value))

    return _NAME.sub(fill, template)


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
