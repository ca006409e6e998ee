"""Up, on tables with rows: each revision meets what those before it allow, and keeps it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import asyncpg

from surefoot.chain.revisions import Revision
from surefoot.connect.failures import describe
from surefoot.errors import RowsLost, RowsRefused, SurefootError, UpgradeFailed, UsageError
from surefoot.run.commands import upgrade
from surefoot.target import Scratch, Target
from surefoot.testing.chain_tests import ChainTests, Walk
from surefoot.testing.conventions import declared_losses, path_of
from surefoot.testing.losses import lost, read
from surefoot.trace.sample_rows import fill, unseed


@dataclass(frozen=True)
class PopulatedUpgrade(Walk):
    """Also the tables for which no row could be made, with the reason."""

    missing: dict[str, str] = field(default_factory=dict)


async def upgrade_with_rows(project: ChainTests, scratch: Scratch) -> PopulatedUpgrade:
    """Walk the chain up; rows that were made stay to meet all revisions that come later.

    On failure: UsageError, where something that the project tells cannot be.
    """
    walk = PopulatedUpgrade()
    start, revisions = project.line()
    async with scratch() as engine, engine.connect() as opened:
        target = project.target(engine)
        session: Any = (await opened.get_raw_connection()).driver_connection
        if start is not None:
            await upgrade(target, start)
        state, missing = await fill(session, project.values)
        walk.missing.update(missing)
        unknown = set(project.values) - state.column_names
        for revision in revisions:
            if not await _step(walk, target, session, revision):
                return walk
            await _between(project, session, revision)
            state, missing = await fill(session, project.values, state)
            walk.missing.update(missing)
            unknown -= state.column_names
    if unknown:
        raise UsageError(
            f"ChainTests(values=…) names {', '.join(sorted(unknown))}, which no revision makes",
            help="write it as table.column",
        )
    return walk


async def _between(project: ChainTests, session: asyncpg.Connection, revision: Revision) -> None:
    """On failure: UsageError."""
    told = project.between.get(revision.id)
    if told is None:
        return
    try:
        await session.execute(told)
    except asyncpg.PostgresError as error:
        raise UsageError(
            f"what ChainTests(between=…) says of {revision.id} fails: {describe(error)}",
            help="it runs right after that revision, on rows that were made",
        ) from error


async def _step(
    walk: PopulatedUpgrade,
    target: Target,
    session: asyncpg.Connection,
    revision: Revision,
) -> bool:
    """Whether the way goes on after this revision."""
    file = path_of(revision).name
    before = await read(session)
    try:
        await upgrade(target, revision.id)
    except SurefootError as error:
        reason = error.reason if isinstance(error, UpgradeFailed) else error.message
        walk.failed(revision, RowsRefused(file, reason))
        await unseed(session, before.state)
        try:
            await upgrade(target, revision.id)
        except SurefootError as again:
            # It has nothing to do with rows.
            walk.errors[revision.id] = again
            return False
    else:
        gone = lost(before, await read(session))
        declared = declared_losses(revision)
        undeclared = {name: loss for name, loss in gone.items() if name not in declared}
        if undeclared:
            walk.failed(revision, RowsLost(file, undeclared))
    walk.reached.append(revision.id)
    return True
