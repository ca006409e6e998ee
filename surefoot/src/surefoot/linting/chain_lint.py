"""lint() runs revisions of a project on a scratch database of their own."""

from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from typing import Any

from surefoot.backfill.files import named
from surefoot.chain.backfills import check_backfills
from surefoot.chain.revisions import up_to
from surefoot.chain.source import codes_read_once
from surefoot.compat.alembic import files_read_once
from surefoot.connect.database import Database
from surefoot.errors import SurefootError
from surefoot.linting.chosen_backfills import refuse_unknown
from surefoot.linting.judging import Linted, judgement
from surefoot.linting.lint import NOTHING, chosen_of
from surefoot.linting.lint import lint as lint_on
from surefoot.project import Project
from surefoot.run.events import Listen, ignore
from surefoot.run.scratch import bring, not_before
from surefoot.scratch import Scratch, scratch_database
from surefoot.target import Target
from surefoot.trace.trace import AS_UTC, ROWS, ZONE, Trace

# Without a statement only the rules on the file are of interest, which hold for every major.
ANY_MAJOR = 18


async def lint(
    project: Project,
    database: Database,
    revisions: Iterable[str] | None = None,
    *,
    major: int | None = None,
    rows: int = ROWS,
    back: bool = False,
    downgrades: bool = False,
    backfills: Iterable[str] = (),
    zone: str = ZONE,
    prepare: Callable[[Target], Awaitable[None]] | None = None,
    complete: Callable[[Linted, Scratch], Awaitable[Linted]] | None = None,
    listen: Listen = ignore,
) -> Linted:
    """The findings of revisions, all by default, in the order of the chain.

    They run on the scratch server of `database`, which itself is not connected to. The rules are
    those for `major`, by default that of the scratch server. `prepare` may bring the scratch
    database to the revision before them; `complete` may change the result, and gets the scratch
    database, on whose server it may try more; `rows`, `back`, `zone` and `listen` are those of
    `trace`. With `downgrades` those are traced and judged too. The `backfills` of these names are
    tried and judged as well, each at the revision that it needs.

    Where the scratch server fails, `trace.failure` is the error and every revision has a finding.

    On failure: LockFileStale and RevisionsBroken, since no run starts with another revisions.lock;
    BackfillInvalid, BackfillUnwritten, BackfillUnknown.

    Example:
        linted = await lint(project, database)
        print(linted.findings, linted.suppressed)
    """
    chain = project.revisions()
    project.check_lock(chain)
    check_backfills(project.lock)
    chosen = chosen_of(chain, revisions)
    for name in (name for revision in chosen for name in revision.requires_backfill):
        named(project, name)
    fills = [named(project, name) for name in dict.fromkeys(backfills)]
    refuse_unknown(chain, fills)
    if not (chosen or fills):
        return NOTHING
    wanted = [revision.id for revision in chosen]
    try:
        is_ready = prepare is None and zone in AS_UTC
        below = not_before(project, chain, chosen[0].down) if is_ready and chosen else ()
        before = up_to(chain, below)
        async with scratch_database(database, project, major=major, to=before) as made:
            with files_read_once(), codes_read_once():
                target = Target.of(made.engine, project)
                if prepare is not None:
                    await prepare(target)
                elif is_ready:
                    with suppress(SurefootError):  # the trace meets it, too, and reports it
                        await bring(made, target, before, listen=listen)
                how: dict[str, Any] = {"rows": rows, "back": back, "zone": zone, "listen": listen}
                how |= {"major": major, "downgrades": downgrades}
                linted = await lint_on(target, chain, wanted, **how)
                if fills:
                    from surefoot.linting.backfills import with_backfills  # noqa: PLC0415 - few

                    linted = await with_backfills(linted, project, fills, made, listen=listen)
            return linted if complete is None else await complete(linted, made)
    except SurefootError as error:
        return judgement(chosen, Trace((), error), major or ANY_MAJOR)
