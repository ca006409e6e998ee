"""plan() traces the pending revisions of a database on a scratch database."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from surefoot.chain.revisions import Revision
from surefoot.connect.database import Database
from surefoot.connect.failures import explained, sqlstate
from surefoot.errors import DatabaseAhead, TableLocked
from surefoot.ledger.glance import heads_of
from surefoot.ledger.position import position
from surefoot.linting.lint import NOTHING, lint
from surefoot.planning.plan import Forecast, forecast
from surefoot.planning.schema import Schema, make_schema, read_schema
from surefoot.planning.statistics import read_statistics
from surefoot.project import Project
from surefoot.run.commands import stamp
from surefoot.run.upgrade.retry import LOCK_TIMEOUT
from surefoot.scratch import scratch
from surefoot.target import Target

# Enough rows to tell a scan from a change of the catalog by its duration.
ROWS = 20_000


async def plan(
    project: Project,
    database: Database,
    *,
    name: str | None = None,
    trying: Database | None = None,
    from_database: bool = False,
) -> Forecast:
    """The effect that `alembic upgrade head` would have on the database; nothing is run there.

    The pending revisions run on a scratch database and back again, on the scratch server of
    `trying` (the database's own by default). Their locks, rewrites and scans are combined with the
    statistics of the database: rows, bytes and open transactions, for which reading is enough.
    With `from_database` the scratch database has a copy of the database's schema, by pg_dump.

    On failure: DatabaseAhead, DatabaseDiverged, TableLocked, and the errors of connecting. A
    revision that fails on the scratch database is the plan's `stopped_by`.

    Example:
        found = await plan(project, database)
        print(found.as_json()["revisions"])
    """
    chain = project.revisions()
    engine = database.engine("observe")
    called = engine.url.database or "(default)"
    wait_s = database.limits.lock_timeout_s
    schema: Schema | None = None
    try:
        with explained(engine.url), _patient(called, wait_s):
            async with engine.connect() as connection:
                await connection.execute(text(f"SET lock_timeout = {wait_s * 1000:.0f}"))
                heads = await connection.run_sync(heads_of, project.version_table)
                pending = _pending(chain, heads, called)
                now = await connection.run_sync(read_statistics)
                major = int((connection.dialect.server_version_info or (0,))[0])
                if from_database and pending:
                    schema = await read_schema(database, connection)
    finally:
        await engine.dispose()
    linted = NOTHING
    if pending:
        async with scratch(trying or database, major=major) as empty:
            target = Target.of(empty, project)
            if schema is not None:
                await make_schema(schema, empty)
                for revision in heads:
                    await stamp(target, revision, reason="a copy of the target's schema")
            wanted = [revision.id for revision in pending]
            linted = await lint(target, chain, wanted, rows=ROWS, back=True)
    return forecast(name or called, called, heads, pending, linted, now, copied=from_database)


def _pending(chain: Sequence[Revision], heads: Sequence[str], database: str) -> Sequence[Revision]:
    """The revisions after the heads. On failure: DatabaseAhead, DatabaseDiverged."""
    at = position(chain, heads, {})
    if at.strangers:
        raise DatabaseAhead(database, ", ".join(s.id for s in at.strangers), chain[-1].id)
    if at.contradiction is not None:
        raise at.contradiction.error(database)
    return at.pending


@contextmanager
def _patient(database: str, wait_s: float) -> Iterator[None]:
    """On failure: TableLocked, where a table could not be read in time."""
    try:
        yield
    except DBAPIError as error:
        if sqlstate(error) != LOCK_TIMEOUT:
            raise
        raise TableLocked(database, wait_s) from error
