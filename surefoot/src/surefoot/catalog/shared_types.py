"""Types of the models that exist already: of another schema, or of an earlier MetaData."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, MetaData, TypeDecorator, text
from sqlalchemy.types import ARRAY, SchemaType

from surefoot.quoting import quoted

_THERE = text("SELECT to_regtype(:name) IS NOT NULL")


@contextmanager
def existing_types(
    connection: Connection, models: MetaData, schemas: Mapping[str, str]
) -> Iterator[None]:
    """Within the block `create_all` leaves the types alone that exist where it would create them.

    `schemas` says where it creates what belongs to a schema; the one is that of unnamed ones.
    """
    (unnamed,) = schemas.values()
    changed: list[Any] = []
    try:
        for each in named_types(models):
            schema = schemas.get(each.schema or "", each.schema or unnamed)
            name = f"{quoted(schema)}.{quoted(str(each.name))}"
            if connection.scalar(_THERE, {"name": name}):
                for kind in (each, each.dialect_impl(connection.dialect)):
                    if getattr(kind, "create_type", False):
                        kind.create_type = False
                        changed.append(kind)
        yield
    finally:
        for kind in changed:
            kind.create_type = True


def named_types(models: MetaData) -> Iterator[Any]:
    """The types of columns that are objects of their own: enums and domains."""
    for table in models.tables.values():
        for column in table.columns:
            kind: Any = column.type
            while isinstance(kind, TypeDecorator | ARRAY):
                kind = kind.impl if isinstance(kind, TypeDecorator) else kind.item_type
            if isinstance(kind, SchemaType) and kind.name is not None:
                yield kind
