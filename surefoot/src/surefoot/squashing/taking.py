"""take() reads the schema of a database whose revisions do not run on an empty one.

The tables that they begin with were made by an application, or by hand. restore() makes the schema
on a scratch database, as if the revisions had run there.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, text

from surefoot.catalog import Catalog, difference, snapshot
from surefoot.connect.database import Database
from surefoot.connect.failures import explained
from surefoot.errors import NotSquashed, SchemaNotCopied
from surefoot.frozen import dataclass
from surefoot.ledger.glance import heads_of
from surefoot.project import Project
from surefoot.scratch import Scratch
from surefoot.scratch.schema import Schema, make_schema, read_schema

_PLACE = text("SELECT current_schema()::text")
# The namespaces of others: they have a relation that is of no extension, and no name in the
# project.
_OTHERS = text("""
SELECT nspname::text FROM pg_namespace n
WHERE nspname !~ '^pg_' AND nspname <> 'information_schema' AND NOT nspname = ANY (:named)
  AND EXISTS (SELECT FROM pg_class c WHERE relnamespace = n.oid AND NOT EXISTS (
      SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = c.oid
      AND deptype = 'e'))
ORDER BY 1
""")


@dataclass(frozen=True)
class Taken:
    """The schema of a database at a revision, and the namespaces of others that it leaves out."""

    schema: Schema
    # The namespace that new objects get.
    place: str
    # Without owners and privileges, which the SQL does not have.
    catalog: Catalog
    without: tuple[str, ...]


async def take(project: Project, database: Database, revision: str) -> Taken:
    """The schema of the database, which is at the revision; it only reads.

    On failure: NotSquashed; those of `read_schema`; what connecting can meet.
    """
    engine = database.engine("observe")

    def read(connection: Connection) -> tuple[str, tuple[str, ...], Catalog]:
        at = heads_of(connection, project.version_table)
        if at != (revision,):
            raise NotSquashed(revision, f"the database is at {', '.join(at) or 'base'}")
        place = connection.scalar(_PLACE) or "public"
        own = [*project.schemas, place, project.version_table.schema]
        # Where the project names none, any of them may be its own.
        named = {"named": [each for each in own if each]}
        without = connection.scalars(_OTHERS, named).all() if project.schemas else ()
        return place, tuple(without), _catalog(connection, project)

    try:
        with explained(engine.url):
            async with engine.connect() as connection:
                place, without, catalog = await connection.run_sync(read)
                schema = await read_schema(database, connection, without=without)
    finally:
        await engine.dispose()
    return Taken(schema, place, catalog, schema.without)


async def restore(made: Scratch, taken: Taken, project: Project, revision: str) -> Sequence[str]:
    """Make the schema on an empty scratch database; the views that `make_schema` could not fill.

    On failure: NotSquashed, SchemaNotCopied.
    """

    async def ask(read: Any, *arguments: Any) -> Any:
        async with made.engine.connect() as connection:
            return await connection.run_sync(read, *arguments)

    place = await ask(lambda connection: connection.scalar(_PLACE))
    if place != taken.place:
        raise NotSquashed(
            revision,
            f"new objects get the schema {taken.place} in the database, and {place} on a scratch "
            "database: name it first in Environment(schemas=[…])",
        )
    try:
        unfilled = await make_schema(taken.schema, made.engine)
    except SchemaNotCopied as error:
        without = ", ".join(taken.without)
        raise SchemaNotCopied(error.database, error.reason, without) from error
    if differences := difference(taken.catalog, await ask(_catalog, project)):
        first = differences[0]
        raise NotSquashed(revision, f"its dump gives another schema ({first.kind} {first.name})")
    return unfilled


def _catalog(connection: Connection, project: Project) -> Catalog:
    return snapshot(connection, project.schemas, version_table=project.version_table)
