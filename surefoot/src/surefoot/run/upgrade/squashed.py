"""An empty database begins with the squash of the first revisions, in one transaction.

    empty database + squashed.sql -> schema and rows, the version table, a ledger row for each
                                     revision that the squash stands for

All of it is there afterwards or nothing. A database that is not empty, or for which the squash was
not proved, runs the revisions.
"""

from collections.abc import Sequence

import asyncpg

from surefoot.chain.revisions import Revision
from surefoot.chain.squashed import NAME, Squash
from surefoot.ledger.squashed import squashed_sql
from surefoot.ledger.table import Ledger
from surefoot.quoting import literal, qualified
from surefoot.run.locks import mutex
from surefoot.version_table import ALEMBICS_LENGTH, VersionTable
from surefoot.wording import counted

# Objects of the database, without those of initdb, of extensions and of our own tables.
_FIRST_NORMAL_ID = 16384
_OTHERS = f"""
SELECT EXISTS (
    SELECT FROM pg_catalog.pg_class WHERE oid >= {_FIRST_NORMAL_ID}
    AND relkind IN ('r', 'p', 'v', 'm', 'S', 'f', 'c')
    AND oid IS DISTINCT FROM to_regclass($1) AND oid IS DISTINCT FROM to_regclass($2)
    AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend WHERE classid = 'pg_catalog.pg_class'::regclass
                    AND objid = pg_class.oid AND deptype = 'e')
) OR EXISTS (
    SELECT FROM pg_catalog.pg_proc WHERE oid >= {_FIRST_NORMAL_ID}
    AND oid IS DISTINCT FROM to_regprocedure($3 || '()')
    AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend WHERE classid = 'pg_catalog.pg_proc'::regclass
                    AND objid = pg_proc.oid AND deptype = 'e')
) OR EXISTS (
    SELECT FROM pg_catalog.pg_type WHERE oid >= {_FIRST_NORMAL_ID} AND typtype IN ('d', 'e', 'r')
    AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend WHERE classid = 'pg_catalog.pg_type'::regclass
                    AND objid = pg_type.oid AND deptype = 'e')
)
"""  # noqa: S608 - a constant
_SESSION = f"""
SELECT pg_try_advisory_xact_lock($4), ({_OTHERS}),
       current_setting('server_version_num')::int / 10000, current_schema()::text,
       upper(current_setting('TimeZone')), current_setting('search_path'),
       to_regclass($2) IS NOT NULL, to_regclass($1) IS NOT NULL,
       current_setting('server_encoding'), current_setting('standard_conforming_strings')::bool,
       EXISTS (SELECT FROM pg_catalog.pg_default_acl
           WHERE pg_get_userbyid(defaclrole) = current_user)
"""  # noqa: S608 - a constant
_IS_EMPTY = f"SELECT NOT ({_OTHERS})"
_HEADS = "SELECT EXISTS (SELECT FROM {table})"
_UTC = ("UTC", "ETC/UTC", "GMT", "ETC/GMT", "ZULU", "UNIVERSAL", "UCT")
NOT_EMPTY = "the database is not empty"
# The server splits a message into tokens before it runs the first of its statements, so that the
# same setting in the SQL of the squash comes too late for its constants.
_AS_DUMPED = "SET LOCAL standard_conforming_strings = on;"
# As Alembic makes it, which a test compares.
_VERSION_TABLE = """
CREATE TABLE IF NOT EXISTS {table} (
    version_num VARCHAR({length}) NOT NULL,
    CONSTRAINT {key} PRIMARY KEY (version_num)
);
INSERT INTO {table} (version_num) VALUES ({revision});
"""


async def is_empty(connection: "asyncpg.Connection[asyncpg.Record]", table: VersionTable) -> bool:
    """Whether the database has no objects but those of extensions and our own."""
    ours = table.quoted, table.ledger, table.ledger_guard
    return bool(await connection.fetchval(_IS_EMPTY, *ours))


async def applied(
    connection: "asyncpg.Connection[asyncpg.Record]",
    squash: Squash,
    below: Sequence[Revision],
    table: VersionTable,
    *,
    build: str = "",
    reason: str | None = None,
) -> str | None:
    """Apply a squash to an empty database, as one transaction; why not, where nothing was done.

    `below` are the revisions that it stands for; the ledger keeps the reason. The mutex is held
    meanwhile.

    On failure: the errors of asyncpg, with nothing kept.
    """
    ours = table.quoted, table.ledger, table.ledger_guard
    async with connection.transaction():
        session = await connection.fetchrow(_SESSION, *ours, mutex.key(table))
        assert session is not None  # a query without FROM
        alone, others, major, schema, zone, path, has_ledger, has_table, *more = session
        encoding, is_standard, has_default_privileges = more
        if not alone:
            return "another migration is at work"
        if others or (has_table and await connection.fetchval(_HEADS.format(table=table.quoted))):
            return NOT_EMPTY
        if major not in squash.majors:
            proved = ", ".join(map(str, squash.majors))
            return f"the server is PostgreSQL {major}, and it was proved on {proved}"
        if schema != squash.schema:
            return f"new objects get the schema {schema}, and it was made in {squash.schema}"
        if has_default_privileges:
            return "new objects get default privileges, and it was made without them"
        if squash.needs_utc and zone not in _UTC:
            return f"its constants are of the time zone UTC, the session's is {zone}"
        if not (is_standard or squash.from_database) and "\\" in squash.sql:
            return "standard_conforming_strings is off, and its constants have backslashes"
        ledger = Ledger(table)
        count = counted(squash.count, "revision")
        rows = ", without rows" if squash.from_database else ""
        note = f"by {NAME}, which stands for {count} up to {squash.revision}{rows}"
        written = squashed_sql(
            ledger, below, build=build, note=note, reason=reason, encoding=encoding
        )
        # First, as before revisions: what they grant on later tables is not for these.
        records = [
            _AS_DUMPED,
            _VERSION_TABLE.format(
                table=table.quoted,
                length=ALEMBICS_LENGTH,
                key=qualified(f"{table.name}_pkc"),
                revision=literal(squash.revision),
            ),
            *(f"{each.strip()};" for each in (() if has_ledger else ledger.creation())),
        ]
        await connection.execute("\n".join(records))
        # It begins with the SQL of the squash, in which an error has its place.
        parts = [
            squash.sql,
            f"SELECT pg_catalog.set_config('search_path', {literal(path)}, true);",
            *(f"{each};" for each in written),
        ]
        await connection.execute("\n".join(parts))
    return None
