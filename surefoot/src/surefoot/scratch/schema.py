"""Schema is the schema of a database as SQL, copied by pg_dump to a scratch database.

Only the catalog is read. Meanwhile pg_dump holds ACCESS SHARE on every table, which blocks nothing
but DDL, and it waits for each lock no longer than a migration would.
"""

import re
from collections.abc import Collection, Sequence
from typing import Any

import asyncpg
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from surefoot.connect.database import Database
from surefoot.connect.failures import describe
from surefoot.connect.libpq import run_program
from surefoot.embedded import find_program
from surefoot.errors import DumpProgramMissing, PermissionMissing, SchemaNotCopied, TableLocked
from surefoot.frozen import dataclass
from surefoot.quoting import qualified
from surefoot.wording import listed

# Owners and privileges do not change the effect of a revision; the rest needs objects that a
# scratch server does not have, or would start to replicate.
OPTIONS = (
    "--schema-only",
    "--no-owner",
    "--no-privileges",
    "--no-tablespaces",
    "--no-publications",
    "--no-subscriptions",
    "--no-security-labels",
)
# The namespaces that the role may not use, such as those of the operator of a managed server: what
# it migrates is in none of them.
_CLOSED = text("""
SELECT nspname::text FROM pg_namespace
WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'
  AND NOT has_schema_privilege(oid, 'USAGE')
ORDER BY 1
""")
# The tables that the role may not read; pg_dump would report one at a time.
_UNREADABLE = text("""
SELECT c.oid::regclass::text, nspname::text
FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
WHERE relkind IN ('r', 'p') AND nspname NOT IN ('pg_catalog', 'information_schema')
  AND nspname !~ '^pg_(toast|temp)'
  AND NOT nspname = ANY (:without) AND NOT has_table_privilege(c.oid, 'SELECT')
  AND NOT EXISTS (SELECT FROM pg_depend
                  WHERE classid = 'pg_class'::regclass AND objid = c.oid AND deptype = 'e')
ORDER BY 1
""")
# The materialized views that have been filled; a dump without rows leaves them without.
_FILLED = text("""
SELECT format('%I.%I', nspname, relname) FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
WHERE relkind = 'm' AND relispopulated AND NOT nspname = ANY (:without)
  AND NOT EXISTS (SELECT FROM pg_depend
                  WHERE classid = 'pg_class'::regclass AND objid = c.oid AND deptype = 'e')
ORDER BY c.oid
""")
# Event triggers of others, which fire all the same, and those whose function is left out.
_EVENT_TRIGGERS = text("""
SELECT evtname::text FROM pg_event_trigger JOIN pg_proc p ON p.oid = evtfoid
JOIN pg_namespace n ON n.oid = pronamespace
WHERE NOT pg_has_role(evtowner, 'MEMBER') OR nspname = ANY (:without)
""")
_EXTENSIONS = text("SELECT extname::text FROM pg_extension ORDER BY 1")
# Those that the dump may create in another schema, or lacks.
_GIVEN = text("""
SELECT extname::text FROM pg_extension
WHERE extname <> 'plpgsql' AND pg_has_role(extowner, 'USAGE')
""")
_AVAILABLE = text("SELECT name::text FROM pg_available_extensions")
# Its entries in a dump: itself, and a comment on it.
_EVENT_TRIGGER = (
    r'^-- Name: (?:{name}; Type: EVENT TRIGGER|EVENT TRIGGER "?{name}"?; Type: COMMENT);'
    r".*?(?=^-- (?:Name: |PostgreSQL database dump complete))"
)
# Commands of psql, and a setting that older servers do not have.
_NOT_SQL = re.compile(r"^(?:\\(?:un)?restrict \S+|SET transaction_timeout = 0;)$", re.MULTILINE)


@dataclass(frozen=True)
class Schema:
    """The schema of one database."""

    database: str
    sql: str
    extensions: tuple[str, ...]
    # Materialized views, which nothing can be read from before they are filled.
    filled: tuple[str, ...] = ()
    # The namespaces that it leaves out.
    without: tuple[str, ...] = ()


async def read_schema(
    database: Database,
    connection: AsyncConnection,
    *,
    own: Collection[str | None] = (),
    without: Collection[str] = (),
) -> Schema:
    """The schema of the database that the connection is to, but for the namespaces `without`, those
    that the role may not use, and the event triggers of others. Where the project names its `own`,
    another one with a table that the role may not read is left out, too.

    On failure: DumpProgramMissing, PermissionMissing, TableLocked, SchemaNotCopied.
    """
    url = database.location()
    without = {*without, *await connection.scalars(_CLOSED)}
    found = (await connection.execute(_UNREADABLE, {"without": [*without]})).all()
    if own:
        without |= {schema for _, schema in found if schema not in own}
    if unreadable := [name for name, schema in found if schema not in without]:
        reason = f"it may not read {listed(unreadable)}"
        raise PermissionMissing(url.user or "the role", url.name, reason)
    extensions = tuple(await connection.scalars(_EXTENSIONS))
    left_out = {"without": sorted(without)}
    filled = tuple(await connection.scalars(_FILLED, left_out))
    event_triggers = (await connection.scalars(_EVENT_TRIGGERS, left_out)).all()
    major = int((connection.dialect.server_version_info or (0,))[0])
    program = find_program("pg_dump", database.pg_bindir, since=major)
    if program is None:
        raise DumpProgramMissing(url.name, major)
    wait_s = database.limits.read_wait_s
    options = (
        *OPTIONS,
        f"--lock-wait-timeout={wait_s * 1000:.0f}",
        # In double quotes a name is no pattern.
        *(f"--exclude-schema={qualified(each)}" for each in sorted(without)),
    )
    name = f"{database.name}-observe"
    code, sql, messages = await run_program(program, *options, url=url, name=name)
    if code and "LOCK TABLE" in messages:
        raise TableLocked(url.name, wait_s)
    if code:
        raise SchemaNotCopied(url.name, messages.partition("\n")[0])
    for name in event_triggers:
        entries = _EVENT_TRIGGER.format(name=re.escape(name))
        sql = re.sub(entries, "", sql, flags=re.MULTILINE | re.DOTALL)
    return Schema(url.name, sql, extensions, filled, tuple(sorted(without)))


async def make_schema(schema: Schema, engine: AsyncEngine) -> Sequence[str]:
    """Create the schema in an empty database, in one transaction; its extensions take the place of
    those that the database was given. The materialized views that could not be filled.

    On failure: SchemaNotCopied, with the extension or object that the server lacks.
    """
    async with engine.connect() as connection:
        available = set(await connection.scalars(_AVAILABLE))
        missing = [name for name in schema.extensions if name not in available]
        if missing:
            noun = "extension" if len(missing) == 1 else "extensions"
            reason = f"the scratch server does not have the {noun} {', '.join(missing)}"
            raise SchemaNotCopied(schema.database, reason)
        given = (await connection.scalars(_GIVEN)).all()
    async with engine.connect() as connection:
        driver: Any = (await connection.get_raw_connection()).driver_connection
        try:
            # For the constants of the SQL, which the server reads before it runs the same SET.
            await driver.execute("SET standard_conforming_strings = on")
            if given:
                await driver.execute(f"DROP EXTENSION {', '.join(map(qualified, given))} CASCADE")
            # The schemas that the project names are there already.
            sql = re.sub("^CREATE SCHEMA ", r"\g<0>IF NOT EXISTS ", schema.sql, flags=re.MULTILINE)
            await driver.execute(_NOT_SQL.sub("", sql))
        except asyncpg.PostgresError as error:
            raise SchemaNotCopied(schema.database, describe(error)) from error
        return await _fill(driver, schema.filled)


async def _fill(driver: Any, views: Sequence[str]) -> Sequence[str]:
    """Fill materialized views, each behind those that it reads; those that cannot be.

    The search path is empty, as a dump has it, and so are the tables.
    """
    while views:
        failed = list[str]()
        for each in views:
            try:
                await driver.execute(f"REFRESH MATERIALIZED VIEW {each}")
            except asyncpg.PostgresError:  # noqa: PERF203 - few views
                failed.append(each)
        if len(failed) == len(views):
            break
        views = failed
    return views
