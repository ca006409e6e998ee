"""A scratch database that has run given revisions, and is kept for the next command."""

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

from surefoot.chain.revisions import Revision, ancestors, heads, up_to
from surefoot.chain.squashed import Squash
from surefoot.connect.database import Database
from surefoot.connect.limits import Limits
from surefoot.project import Project
from surefoot.run.commands import upgrade
from surefoot.run.events import Listen, ignore
from surefoot.scratch import Scratch, scratch_database
from surefoot.target import Target


@asynccontextmanager
async def scratch_at(
    database: Database, project: Project, to: Iterable[str], *, major: int | None = None
) -> AsyncIterator[Target]:
    """A scratch database at the revisions `to`, which is gone after the block.

    They may be named as Alembic names them, such as `head`. On failure: as `scratch`, and what the
    revisions meet.
    """
    chain, names = project.revisions(), [each for each in to if each != "base"]
    before, ids = up_to(chain, names), {each.id for each in chain}
    async with scratch_database(database, project, major=major, to=before) as made:
        target = Target.of(made.engine, project, Limits())
        await bring(made, target, before)
        for each in names:
            if each not in ids:
                await upgrade(target, each, measure=False, squash=False)
        yield target


async def bring(
    made: Scratch, target: Target, to: Sequence[Revision], *, listen: Listen = ignore
) -> None:
    """Run those of the revisions that the scratch database does not have. On failure: the same.

    The limits of the project and the guards of production protect data, of which there is none.
    """
    if len(made.has) < len(to):
        free = replace(target, limits=Limits())
        for each in in_turn(target, to, sorted(heads(to))):
            await upgrade(free, each, listen=listen, measure=False, squash=False)
        await made.keep(to)


def in_turn(target: Target, chain: Sequence[Revision], goals: Sequence[str]) -> Sequence[str]:
    """The goals of upgrades of an empty database, that first which begins with its tables.

    A squash from a database has them; behind another goal the database is not empty any more.
    On failure: SquashEdited.
    """
    taken = Squash.taken(Project.read(target.ini).squashed) if len(goals) > 1 else None
    return sorted(
        goals, key=lambda each: taken is None or taken.revision not in ancestors(chain, [each])
    )


def not_before(project: Project, chain: Sequence[Revision], ids: Sequence[str]) -> Sequence[str]:
    """The revisions, of which one that no empty database comes to is that of the squash.

    What builds on one is tried behind that of the squash. On failure: SquashEdited.
    """
    if (taken := Squash.taken(project.squashed)) is None:
        return tuple(ids)
    below = ancestors(chain, [taken.revision])
    return tuple(dict.fromkeys(taken.revision if each in below else each for each in ids))
