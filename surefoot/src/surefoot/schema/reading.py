"""catalogs() reads the schema at revisions, each from a scratch database."""

from collections.abc import Sequence

from surefoot.catalog import Catalog
from surefoot.connect.database import Database
from surefoot.project import Project
from surefoot.run.scratch import scratch_at
from surefoot.trace.fingerprints import catalog_of


async def catalogs(
    project: Project, database: Database, places: Sequence[Sequence[str]]
) -> Sequence[Catalog]:
    """The catalog at each place: one or more revisions, or none for an empty database.

    `database` names the scratch server, and is not connected to. On failure: as `scratch_at`.
    """
    found = []
    for place in places:
        async with scratch_at(database, project, place) as target:
            found.append(await catalog_of(target))
    return found
