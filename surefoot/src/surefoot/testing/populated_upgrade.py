"""Populated upgrade: each revision runs on tables with rows, and keeps them."""

from dataclasses import dataclass, field
from typing import Any

import asyncpg

from surefoot.backfill.at_once import fill_at_once
from surefoot.backfill.files import named
from surefoot.chain.revisions import Revision
from surefoot.connect.failures import describe
from surefoot.errors import RowsLost, RowsRefused, SurefootError, UpgradeFailed, UsageError
from surefoot.run.commands import upgrade
from surefoot.target import Scratch, Target
from surefoot.testing.chain_tests import ChainTests, Walk
from surefoot.testing.conventions import declared_losses, path_of
from surefoot.testing.losses import lost, read
from surefoot.trace.sample_rows import fill, unseed


@dataclass
class PopulatedUpgrade(Walk):
    """Also the reason for each table that no row could be made for."""

    missing: dict[str, str] = field(default_factory=dict)


async def upgrade_with_rows(tests: ChainTests, scratch: Scratch) -> PopulatedUpgrade:
    """Upgrade the chain; sample rows stay in the tables for all later revisions.

    On failure: UsageError where `values` or `between` cannot be applied.
    """
    walk = PopulatedUpgrade()
    start, revisions = tests.line()
    async with scratch() as engine, engine.connect() as opened:
        target = tests.target(engine)
        session: Any = (await opened.get_raw_connection()).driver_connection
        if start is not None:
            await upgrade(target, start, squash=False, measure=False)
        state, missing = await fill(session, tests.values, version_table=tests.version_table)
        walk.missing.update(missing)
        unknown = set(tests.values) - state.column_names
        for revision in revisions:
            with walk.reaches(revision):
                await _step(walk, tests, target, session, revision)
            if revision.id not in walk.reached:
                return walk
            await _between(tests, session, revision)
            state, missing = await fill(
                session, tests.values, state, version_table=tests.version_table
            )
            walk.missing.update(missing)
            unknown -= state.column_names
    if unknown:
        raise UsageError(
            f"ChainTests(values=…) names {', '.join(sorted(unknown))}, which no revision creates",
            help="write it as table.column",
        )
    return walk


async def _between(tests: ChainTests, session: asyncpg.Connection, revision: Revision) -> None:
    """On failure: UsageError."""
    try:
        if statement := tests.between.get(revision.id):
            await session.execute(statement)
    except asyncpg.PostgresError as error:
        raise UsageError(
            f"ChainTests(between=…) fails after {revision.id}: {describe(error)}",
            help="correct the statement; it runs right after that revision, on sample rows",
        ) from error


async def _step(
    walk: PopulatedUpgrade,
    tests: ChainTests,
    target: Target,
    session: asyncpg.Connection,
    revision: Revision,
) -> None:
    file = path_of(revision).name
    try:
        await _backfill(tests, session, revision)
        before = await read(session, target.version_table)
        # Without its state a backfill is not complete for a run that asks for it.
        await upgrade(target, revision.id, squash=False, measure=False)
    except (SurefootError, asyncpg.PostgresError) as error:
        reason = _reason(error)
        await unseed(session, target.version_table)
        # An error here is the one that counts: it fails on empty tables as well.
        await upgrade(target, revision.id, squash=False, measure=False)
        walk.failed(revision, RowsRefused(file, reason))
    else:
        gone = lost(before, await read(session, target.version_table))
        declared = declared_losses(revision)
        if undeclared := {name: loss for name, loss in gone.items() if name not in declared}:
            walk.failed(revision, RowsLost(file, undeclared))


async def _backfill(tests: ChainTests, session: asyncpg.Connection, revision: Revision) -> None:
    """Run the backfills that a revision requires, before its rows are compared."""
    async with session.transaction():
        for name in revision.requires_backfill:
            await fill_at_once(session, named(tests.project, name), tests.version_table)


def _reason(error: SurefootError | asyncpg.PostgresError) -> str:
    if isinstance(error, UpgradeFailed):
        return error.reason
    return error.message if isinstance(error, SurefootError) else describe(error)
