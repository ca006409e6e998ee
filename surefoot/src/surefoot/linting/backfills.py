"""with_backfills() tries backfills on scratch databases, and adds the findings of their rules.

backfill -> scratch database at its revision, with made rows -> Trial -> rules -> Findings
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from typing import Any

import asyncpg

from surefoot.backfill.definition import Backfill
from surefoot.backfill.trial import Trial, tried
from surefoot.chain.backfills import backfill_paths
from surefoot.chain.coding import text_of
from surefoot.chain.revisions import Revision, ancestors, up_to
from surefoot.connect.limits import Limits
from surefoot.errors import SurefootError
from surefoot.frozen import dataclass
from surefoot.linting.judging import Linted, Suppressed
from surefoot.project import Project
from surefoot.rules.backfills import TriedBackfill, examine
from surefoot.rules.suppressions import suppressions
from surefoot.run.commands import upgrade
from surefoot.run.events import Listen
from surefoot.run.scratch import bring
from surefoot.scratch import Scratch
from surefoot.scratch.databases import STATEMENT_S
from surefoot.target import Target
from surefoot.trace.sample_rows import seed
from surefoot.trace.trace import ROWS

_COLUMNS = """
SELECT attname FROM pg_attribute
WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped
"""


async def with_backfills(
    linted: Linted,
    project: Project,
    backfills: Sequence[Backfill],
    beside: Scratch,
    *,
    listen: Listen,
) -> Linted:
    """The result with the findings about backfills; they are tried beside a scratch database.

    Where a revision fails before one it is not tried, and the error is that of the trace.
    """
    chain, paths = project.revisions(), {p.stem: p for p in backfill_paths(project.lock)}
    order = {revision.id: place for place, revision in enumerate(chain)}
    fills = sorted(backfills, key=lambda each: order[each.after])
    seen: list[TriedBackfill] = []
    try:
        async with AsyncExitStack() as stack:
            bench = _Bench(project, chain, beside, listen)
            if fills:
                bench = await stack.enter_async_context(bench.another(fills[0].after))
            for backfill in fills:
                path = paths[backfill.name]
                source = text_of(path)
                code, table = oldest_code(chain, backfill), project.version_table
                async with bench.session(backfill.after) as session:
                    await seed(session, ROWS, table, source)
                    trial = await tried(session, backfill, table, changes=code is not None)
                left = [] if code is None else await _left_behind(bench, trial, code)
                seen.append(TriedBackfill(path, source, trial, left, code))
    except SurefootError as error:
        failure = linted.trace.failure or error
        linted = replace(linted, trace=replace(linted.trace, failure=failure))
    findings, passed = list(linted.findings), list(linted.suppressed)
    for each in seen:
        stated = suppressions(each.source)
        for finding in examine(each):
            by = [comment for comment in stated if comment.covers(finding.rule, finding.line)]
            passed += [Suppressed(finding, comment) for comment in by]
            findings += [] if by else [finding]
    return replace(
        linted,
        findings=tuple(findings),
        suppressed=tuple(passed),
        backfills=tuple(each.trial.backfill.name for each in seen),
    )


async def _left_behind(bench: _Bench, trial: Trial, code: str) -> Sequence[tuple[str, str]]:
    """The stale columns that the release of a revision does not know; it knows what they are of."""
    if not trial.stale:
        return ()
    async with bench.another(code) as older, older.session(code) as session:
        rows = await session.fetch(_COLUMNS, trial.backfill.table)
    known = {name for (name,) in rows}
    return [(old, new) for old, new in trial.stale if old in known and new not in known]


def oldest_code(chain: Sequence[Revision], backfill: Backfill) -> str | None:
    """The newest revision of the oldest release that is to go on beside a backfill.

    The contract revision that requires it says so. None where nothing does, or where that release
    knows the revision after which it runs.
    """
    before = ancestors(chain, [backfill.after]) - {backfill.after}
    codes = (each.requires_code for each in chain if backfill.name in each.requires_backfill)
    return next((code for code in codes if code in before), None)


@dataclass(frozen=True)
class _Bench:
    """A scratch database that runs the chain once, and is copied at revisions on its way."""

    project: Project
    chain: Sequence[Revision]
    made: Scratch
    listen: Listen

    @asynccontextmanager
    async def another(self, revision: str) -> AsyncIterator[_Bench]:
        """One on the same server that has run a revision, gone after the block."""
        before = up_to(self.chain, [revision])
        async with self.made.another(self.project, before) as made:
            await bring(made, Target.of(made.engine, self.project), before, listen=self.listen)
            yield replace(self, made=made)

    @asynccontextmanager
    async def session(self, revision: str) -> AsyncIterator[asyncpg.Connection[Any]]:
        """A session in a copy that has run a revision, gone after the block."""
        free = Target.of(self.made.engine, self.project, Limits())
        await upgrade(free, revision, listen=self.listen, measure=False, squash=False)
        async with self.made.copied() as engine:
            copy = replace(self.made, engine=engine).database
            limits = replace(copy.limits, statement_timeout_s=STATEMENT_S)
            # Not one of the engine: SQLAlchemy gives it other values for some types.
            session = await replace(copy, limits=limits).connect("migrate")
            try:
                yield session
            finally:
                await session.close()
