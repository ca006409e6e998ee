"""Offline SQL: `alembic upgrade … --sql`, run as a client does, gives the result of the upgrade."""

import io
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import asyncpg
from alembic import command
from sqlalchemy.ext.asyncio import AsyncEngine

from surefoot.catalog import Catalog, difference
from surefoot.chain.revisions import heads
from surefoot.connect.failures import describe
from surefoot.errors import OfflineDiffers, OfflineImpossible, SurefootError, UpgradeFailed
from surefoot.errors.names import goal
from surefoot.project import alembic_config
from surefoot.quoting import statements
from surefoot.run.commands import upgrade
from surefoot.run.upgrade.diagnosis import reason_of
from surefoot.target import Scratch
from surefoot.testing.chain_tests import ChainTests, Walk
from surefoot.trace.fingerprints import catalog_of


@dataclass
class OfflineUpgrade(Walk):
    """Also the error of the script from base, or from where databases begin, to head."""

    whole: SurefootError | None = None


async def run_offline(
    tests: ChainTests, scratch: Scratch, online: Mapping[str, Catalog]
) -> OfflineUpgrade:
    """Run the SQL of each revision, then of the whole chain; `online` has the expected catalogs."""
    walk = OfflineUpgrade()
    start, revisions = tests.line()
    async with scratch() as engine:
        if tests.begins_at:
            await upgrade(tests.target(engine), start or "", measure=False, squash=False)
        elif start is not None:
            await _run(tests, engine, f"base:{start}")
        before: frozenset[str] = frozenset({start} if start else ())
        for revision in revisions:
            if revision.id not in online or walk.errors:
                break
            after = (before - {*revision.down}) | {revision.id}
            with walk.reaches(revision):
                if len(before) > 1:
                    await upgrade(tests.target(engine), revision.id, measure=False, squash=False)
                    walk.left_out[revision.id] = "--sql cannot begin at several revisions"
                else:
                    asked = f"{''.join(before) or 'base'}:{revision.id}"
                    await _check(tests, engine, asked, after, online[revision.id])
            before = after
    newest, head = heads(tests.revisions()), revisions[-1].id if revisions else ""
    if head in online:
        async with scratch() as engine:
            asked = goal(newest)
            try:
                if begun := tests.begins_at:
                    await upgrade(tests.target(engine), begun, measure=False, squash=False)
                    asked = f"{begun}:{asked}"
                await _check(tests, engine, asked, newest, online[head])
            except SurefootError as error:
                walk.whole = error
    return walk


async def _check(
    tests: ChainTests, engine: AsyncEngine, asked: str, rows: Collection[str], online: Catalog
) -> None:
    """On failure: OfflineImpossible, OfflineDiffers."""
    written = await _run(tests, engine, asked)
    differences = [str(d) for d in difference(online, await catalog_of(tests.target(engine)))]
    if sorted(written) != sorted(rows):
        expected, said = ", ".join(sorted(rows)), ", ".join(written) or "nothing"
        differences.append(f"{tests.version_table.name}: expected {expected}, found {said}")
    if differences:
        raise OfflineDiffers(asked, differences)


async def _run(tests: ChainTests, engine: AsyncEngine, asked: str) -> list[str]:
    """Run the SQL and return the rows of the version table. On failure: OfflineImpossible."""
    try:
        script = sql(tests, asked)
    except Exception as error:  # a revision may raise anything where it has no connection
        reason = reason_of(error, tests.project.locations)
        if isinstance(error, UpgradeFailed):
            reason = error.reason
        raise OfflineImpossible(asked, reason) from error
    async with engine.connect() as opened:
        session: Any = (await opened.get_raw_connection()).driver_connection
        statement = ""
        try:
            for statement in statements(script):
                await session.execute(statement)
        except asyncpg.PostgresError as error:
            shown = " ".join(statement.split())[:200]
            raise OfflineImpossible(asked, f"{describe(error)}, in: {shown}") from error
        query = f"SELECT version_num FROM {tests.version_table.quoted}"  # noqa: S608 - quoted
        return [row["version_num"] for row in await session.fetch(query)]


def sql(tests: ChainTests, revisions: str) -> str:
    """The output of `alembic upgrade REVISIONS --sql`."""
    written = io.StringIO()
    command.upgrade(alembic_config(tests.ini, output_buffer=written), revisions, sql=True)
    return written.getvalue()
