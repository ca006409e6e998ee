"""find_drift reads the catalogs of the target, of a scratch database and of the models."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import partial

from sqlalchemy import Connection, MetaData, text
from sqlalchemy.ext.asyncio import AsyncEngine

from surefoot.catalog import Catalog, snapshot
from surefoot.catalog.models import models_catalog
from surefoot.chain.revisions import Revision, heads
from surefoot.connect.failures import explained
from surefoot.differences.dating import dated
from surefoot.differences.deviations import deviations
from surefoot.differences.model import Drift
from surefoot.errors import DatabaseAhead
from surefoot.ledger.glance import heads_of
from surefoot.ledger.table import Ledger, Row
from surefoot.run.commands import upgrade
from surefoot.target import Target
from surefoot.version_table import VersionTable

_MAY_READ = "SELECT has_table_privilege(:name, 'SELECT')"


async def find_drift(
    engine: AsyncEngine,
    scratch: Target,
    chain: Sequence[Revision],
    locked: Sequence[Revision],
    *,
    metadata: Sequence[MetaData] = (),
    privileges: bool = False,
    version_table: VersionTable = VersionTable(),
) -> Drift:
    """Compare the engine's database with the schema of its revisions, run on the empty `scratch`.

    With `metadata` and a database at head, the models are compared with head too.

    On failure: DatabaseAhead where this build does not know the database's revision; the errors of
    connecting; the errors of the revisions on the scratch database.
    """
    name = engine.url.database or "(default)"
    with explained(engine.url):
        async with engine.connect() as connection:
            at, rows, found = await connection.run_sync(_read, privileges, version_table)
    if not set(at) <= {revision.id for revision in chain}:
        raise DatabaseAhead(name, ", ".join(at), ", ".join(sorted(heads(chain))))
    for head in at:
        await upgrade(scratch, head)
    models = None
    async with scratch.engine.connect() as connection:
        expected = await connection.run_sync(
            partial(snapshot, privileges=privileges, version_table=version_table)
        )
        if metadata and frozenset(at) == heads(chain):
            given = await connection.run_sync(_models, metadata)
            models = deviations(given, expected.declarable())
    return Drift(
        name,
        ", ".join(at) or "base",
        deviations(expected, found),
        dated(rows, locked, found.fingerprint()),
        models,
    )


def _read(
    connection: Connection, privileges: bool, version_table: VersionTable
) -> tuple[tuple[str, ...], Collection[Row], Catalog]:
    at, ledger = heads_of(connection, version_table), Ledger(version_table)
    # A role that may not read the ledger gets an undated drift.
    readable = ledger.exists(connection) and connection.scalar(
        text(_MAY_READ), {"name": version_table.ledger}
    )
    rows = ledger.read(connection) if readable else ()
    return at, rows, snapshot(connection, privileges=privileges, version_table=version_table)


def _models(connection: Connection, metadata: Sequence[MetaData]) -> Catalog:
    found, _ = models_catalog(connection, metadata, "public")
    return found.declarable()
