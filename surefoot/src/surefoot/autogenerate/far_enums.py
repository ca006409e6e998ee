"""Enums of other schemas than the default one, which the catalogs do not cover.

Alembic creates such a type with the table that has it and never drops it, does not create it for a
new column, and sees no other values. Here a type has changes of its own, and the tables use it.
"""

from collections.abc import Iterator
from typing import Any, Literal

from alembic.autogenerate.api import AutogenContext
from alembic.util import to_list
from sqlalchemy import Enum, text

from surefoot.autogenerate.change import Change, Stage, Turn
from surefoot.autogenerate.rendering import ByHand, sql
from surefoot.catalog.kinds import Names
from surefoot.catalog.shared_types import named_types
from surefoot.operations.enums import AddEnumValueOp, value_steps
from surefoot.quoting import literal, quoted

_LABELS = text("""
SELECT array_agg(enumlabel::text ORDER BY enumsortorder) FROM pg_enum
WHERE enumtypid = to_regtype(:name) HAVING to_regtype(:name) IS NOT NULL
""")
_KEPT = "The downgrade keeps the new values: PostgreSQL removes none."


def enum_changes_of_others(context: AutogenContext) -> Iterator[Change]:
    """The changes of the enums that models name with a schema; one that no model has stays."""
    connection = context.connection
    if connection is None or not context.opts.get("include_schemas"):
        return
    default = connection.dialect.default_schema_name
    declared: dict[str, Names] = {}
    for models in to_list(context.metadata):
        for each in named_types(models):
            if isinstance(each, Enum) and each.native_enum and each.schema not in (None, default):
                name = f"{quoted(str(each.schema))}.{quoted(str(each.name))}"
                declared[name] = tuple(each.enums)
    for name, wanted in sorted(declared.items()):
        found = connection.execute(_LABELS, {"name": name}).scalar_one_or_none()
        if found is None:
            values = ", ".join(map(literal, wanted))
            make, drop = sql(f"CREATE TYPE {name} AS ENUM ({values})"), sql(f"DROP TYPE {name}")
            yield Change(Stage.TYPES, [make], [drop])
        elif tuple(found) != wanted:
            yield _other_values(name, tuple(found), wanted)


def _other_values(name: str, before: Names, after: Names) -> Change:
    steps = value_steps(name, before, after)
    if steps is None:
        told = ByHand(
            f"{name} has {', '.join(before)}, and the models {', '.join(after)}",
            "no value can be removed or moved: create another type, give it to the columns, and "
            "drop this one",
        )
        return Change(Stage.TYPES, [told], [])
    added = [each for each in steps if isinstance(each, AddEnumValueOp)]
    do = [sql(each.sql().replace(quoted(name), name, 1)) for each in steps]
    if not added:
        back = value_steps(name, after, before) or []
        undo = [sql(each.sql().replace(quoted(name), name, 1)) for each in back]
        return Change(Stage.TYPES, do, undo)
    title = f"Add {', '.join(each.value for each in added)} to {name}"
    return Change(Stage.TYPES, do, []).at(Turn.VALUES, name, title, _KEPT)


def render_item(kind: str, item: Any, context: AutogenContext) -> str | Literal[False]:
    """Alembic's hook: the type of a column that has an enum of another schema, which exists."""
    if kind != "type" or not isinstance(item, Enum) or not item.native_enum or item.schema is None:
        return False
    context.imports.add("from sqlalchemy.dialects import postgresql")
    values = ", ".join(map(repr, map(str, item.enums)))
    name = f"name={str(item.name)!r}, schema={str(item.schema)!r}"
    return f"postgresql.ENUM({values}, {name}, create_type=False)"
