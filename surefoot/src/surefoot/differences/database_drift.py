"""drift() compares a database with what its revisions give on a scratch database."""

from __future__ import annotations

from surefoot.connect.database import Database
from surefoot.connect.limits import Limits
from surefoot.differences.detection import find_drift
from surefoot.differences.model import Drift
from surefoot.project import Project
from surefoot.scratch import scratch
from surefoot.target import Target


async def drift(
    project: Project, database: Database, *, models: bool = True, privileges: bool = False
) -> Drift:
    """Every difference between the database and its revisions, with the SQL that repairs it.

    At head the models are compared too, unless `models` is false; with `privileges`, owners and
    privileges are. Nothing is written to the database; a role that may read is enough.

    On failure: DatabaseAhead; the errors of connecting, and of the revisions on the scratch
    database.

    Example:
        found = await drift(project, database)
        print(found.count, found.as_json())
    """
    engine = database.engine("observe")
    try:
        async with scratch(database) as empty:
            return await find_drift(
                engine,
                # The guards of production protect the data of production.
                Target.of(empty, project, Limits()),
                project.revisions(),
                project.locked(),
                metadata=project.models() if models else (),
                privileges=privileges,
                version_table=project.version_table,
            )
    finally:
        await engine.dispose()
