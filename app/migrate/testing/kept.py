"""Up, on tables with rows: each revision meets what those before it allow, and keeps it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import asyncpg

from app.errors import RowsLost, RowsRefused, UpgradeFailed, VegafsError
from app.migrate.history.revisions import Revision
from app.migrate.review.trace.seed import unseed
from app.migrate.review.trace.state import State
from app.migrate.run.upgrade import upgrade
from app.migrate.target import Target
from app.migrate.testing.contents import lost, read
from app.migrate.testing.files import declared_losses, path_of
from app.migrate.testing.project import Project, Scratch, Walk
from app.migrate.testing.rows import fill


@dataclass(frozen=True)
class WithRows(Walk):
    """Also the tables for which no row could be made, with the reason."""

    missing: dict[str, str] = field(default_factory=dict)


async def with_rows(project: Project, scratch: Scratch) -> WithRows:
    """Walk the chain up; rows that were made stay to meet all revisions that come later."""
    walk = WithRows()
    async with scratch() as engine, engine.connect() as opened:
        session: Any = (await opened.get_raw_connection()).driver_connection
        state: State | None = None
        for revision in project.revisions():
            if not await _step(walk, project.target(engine), session, revision):
                return walk
            if revision.id in project.between:
                await session.execute(project.between[revision.id])
            state, missing = await fill(session, project.values, state)
            for table, reason in missing.items():
                walk.missing.setdefault(table, reason)
    return walk


async def _step(
    walk: WithRows,
    target: Target,
    session: asyncpg.Connection,
    revision: Revision,
) -> bool:
    """Whether the way goes on after this revision."""
    file = path_of(revision).name
    before = await read(session)
    try:
        await upgrade(target, revision.id)
    except VegafsError as error:
        reason = error.reason if isinstance(error, UpgradeFailed) else error.message
        walk.failed(revision, RowsRefused(file, reason))
        await unseed(session, before.state)
        try:
            await upgrade(target, revision.id)
        except VegafsError as again:
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
