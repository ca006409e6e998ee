"""Indexes of the models that only Alembic takes as they are written: concurrent, or given twice.

No transaction builds an index concurrently, and the index is the same. Alembic compares indexes by
name, so it takes one that a column has by `index=True` and its table lists once more.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, event, text
from sqlalchemy.schema import CreateIndex


@contextmanager
def indexes_in_a_transaction(connection: Connection) -> Iterator[None]:
    """Within the block an index is created without CONCURRENTLY, and of equal ones the first."""
    concurrent: list[Any] = []
    created: set[str] = set()

    def create(connection: Connection, element: Any, *given: Any) -> Any:
        if isinstance(element, CreateIndex):
            options = element.element.dialect_options["postgresql"]
            if options["concurrently"]:
                options["concurrently"] = False
                concurrent.append(options)
            written = str(element.compile(dialect=connection.dialect))
            if written in created:
                element = text("SELECT")
            created.add(written)
        return element, *given[:2]

    event.listen(connection, "before_execute", create, retval=True)
    try:
        yield
    finally:
        event.remove(connection, "before_execute", create)
        for options in concurrent:
            options["concurrently"] = True
