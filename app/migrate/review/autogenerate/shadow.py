"""The models are compared in PostgreSQL's own words: as what they give in a schema of their own.

1. A savepoint is set and a schema with an unlikely name made; names are looked up there first.
2. `metadata.create_all()` makes the models in it, and the catalog is read.
3. Everything is rolled back, whatever happened. No object of the database is changed or locked.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable

from sqlalchemy import Connection, MetaData, text
from sqlalchemy.exc import DBAPIError

from app.db.failures import describe
from app.errors import PermissionMissing, UsageError
from app.migrate.proof.catalog import Catalog, snapshot
from app.migrate.proof.catalog.statements import quoted

_MAY = text("""
SELECT current_user::text AS "user", current_database()::text AS database,
       has_database_privilege(current_database(), 'CREATE') AS allowed,
       current_setting('transaction_read_only')::boolean AS read_only
""")


def models_catalog(
    connection: Connection,
    metadata: Iterable[MetaData],
    schema: str,
    *,
    exclude: Collection[str] = (),
) -> Catalog:
    """The catalog that the models give where nothing else is.

    Types and functions that extensions put into `schema` are at hand to them. Tables that name a
    schema are not made.

    On failure: PermissionMissing where the role may make no schema; UsageError with what
    PostgreSQL says of the models.
    """
    _refuse_without_permission(connection)
    shadow = f"vegafs_shadow_{os.getpid()}"
    with connection.begin_nested() as savepoint:
        try:
            connection.execute(text(f"CREATE SCHEMA {quoted(shadow)}"))
            connection.execute(
                text("SELECT set_config('search_path', :path, true)"),
                {"path": f"{quoted(shadow)}, {quoted(schema)}"},
            )
            for models in metadata:
                _create(connection, models)
            return snapshot(connection, shadow, exclude=exclude)
        finally:
            if savepoint.is_active:
                savepoint.rollback()


def _refuse_without_permission(connection: Connection) -> None:
    may = connection.execute(_MAY).one()
    if may.allowed and not may.read_only:
        return
    reason = (
        "its transactions are read-only"
        if may.read_only
        else "permission denied to create a schema"
    )
    raise PermissionMissing(
        may.user, may.database, f"the models are compared in a schema of their own, and {reason}"
    )


def _create(connection: Connection, models: MetaData) -> None:
    ours = [table for table in models.sorted_tables if table.schema is None]
    try:
        # Without a look at what exists: that would find the tables of the database.
        models.create_all(connection, tables=ours, checkfirst=False)
    except DBAPIError as error:
        raise UsageError(
            f"the models cannot be created in an empty schema: {describe(error)}",
            help="correct the models; what they need must be among them",
        ) from error
