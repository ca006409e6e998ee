"""The empty schemas in which models are created: one that leads the search path, and others.

The others have the names of real schemas, because events of the models may name them. A real one
has another name until everything is rolled back: DDL of others in it waits that long, and nothing
else does.
"""

import os
from collections.abc import Collection
from hashlib import sha256

from sqlalchemy import Connection, text

from surefoot.errors import PermissionMissing, ReadOnlyRefused, StandbyRefused
from surefoot.quoting import quoted

OURS = "surefoot_shadow_"
# The extensions in a schema are found where they are.
_STILL_FOUND = text("""
SELECT set_config('search_path', current_setting('search_path') || ', ' || nspname, true)
FROM pg_namespace n WHERE nspname = :schema
AND EXISTS (SELECT FROM pg_extension e WHERE e.extnamespace = n.oid)
""")
_MAY_RENAME = text("""
SELECT current_user::text AS "user", current_database()::text AS database,
       pg_has_role(nspowner, 'USAGE') AS allowed
FROM pg_namespace WHERE nspname = :schema
""")
_MAY = text("""
SELECT current_user::text AS "user", current_database()::text AS database,
       has_database_privilege(current_database(), 'CREATE') AS allowed,
       current_setting('transaction_read_only')::boolean AS read_only,
       pg_is_in_recovery() AS on_standby
""")

_SHADOW_FIRST = text("""
SELECT set_config('search_path', concat_ws(', ', CAST(:shadow AS text),
                                           nullif(current_setting('search_path'), '')), true)
""")


def create_empty(connection: Connection, beside: Collection[str]) -> str:
    """Create the schema that leads the search path, and those beside it; the name of the first.

    On failure: PermissionMissing, ReadOnlyRefused, StandbyRefused.
    """
    _refuse_without_permission(connection)
    shadow = f"{OURS}{os.getpid()}"
    connection.execute(text(f"CREATE SCHEMA {quoted(shadow)}"))
    connection.execute(_SHADOW_FIRST, {"shadow": quoted(shadow)})
    for schema in beside:
        _move_away(connection, schema)
        connection.execute(text(f"CREATE SCHEMA {quoted(schema)}"))
    return shadow


def away(schema: str) -> str:
    """The name of a real schema while an empty one has its own."""
    return f"{OURS}{sha256(schema.encode()).hexdigest()[:16]}"


def _move_away(connection: Connection, schema: str) -> None:
    may = connection.execute(_MAY_RENAME, {"schema": schema}).one_or_none()
    if may is None:
        return
    if not may.allowed:
        why = f"the models are compared in a new schema {schema}, and another role owns that"
        raise PermissionMissing(may.user, may.database, why)
    connection.execute(text(f"ALTER SCHEMA {quoted(schema)} RENAME TO {quoted(away(schema))}"))
    connection.execute(_STILL_FOUND, {"schema": away(schema)})


def _refuse_without_permission(connection: Connection) -> None:
    may = connection.execute(_MAY).one()
    if may.read_only:
        raise (StandbyRefused if may.on_standby else ReadOnlyRefused)(may.database)
    if not may.allowed:
        denied = "permission denied to create a schema"
        why = f"the models are compared in a schema of their own, and {denied}"
        raise PermissionMissing(may.user, may.database, why)
