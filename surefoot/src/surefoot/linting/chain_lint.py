"""lint() runs revisions of a project on a scratch database of their own."""

from collections.abc import Iterable

from surefoot.connect.database import Database
from surefoot.linting.lint import NOTHING, Linted
from surefoot.linting.lint import lint as lint_on
from surefoot.project import Project
from surefoot.scratch import scratch
from surefoot.target import Target


async def lint(
    project: Project, database: Database, revisions: Iterable[str] | None = None
) -> Linted:
    """The findings of revisions, all by default, in the order of the chain.

    They run on the scratch server of `database`, which itself is not connected to. On failure:
    the errors of the revisions before them; a linted revision that fails is `trace.failure`.

    Example:
        linted = await lint(project, database)
        print(linted.findings, linted.suppressed)
    """
    chain = project.revisions()
    wanted = [r.id for r in chain] if revisions is None else list(revisions)
    if not wanted:
        return NOTHING
    async with scratch(database, project) as engine:
        return await lint_on(Target.of(engine, project), chain, wanted)
