"""The safe forms of a revision, planned between the schemas before and after it."""

from collections.abc import Mapping

from sqlalchemy import Connection

from surefoot.autogenerate.reading import rename_to_temporary
from surefoot.catalog import Catalog, Key, snapshot
from surefoot.chain.revisions import Revision
from surefoot.remedies.steps import SafeForm, safe_form, without
from surefoot.rules.findings import Finding
from surefoot.run.commands import upgrade
from surefoot.target import Target
from surefoot.trace.fingerprints import catalog_of


async def around(
    target: Target, revision: Revision, wanted: Mapping[Finding, Key], major: int
) -> Mapping[Finding, SafeForm]:
    """The safe forms for the objects of findings; the revision runs, and those before it."""
    for down in revision.down:
        await upgrade(target, down, measure=False, squash=False)
    before = await catalog_of(target)
    await upgrade(target, revision.id, measure=False, squash=False)
    after = await catalog_of(target)
    found: dict[Finding, SafeForm] = {}
    for each, key in wanted.items():
        temporary = await with_temporary_names(target, without(key, before, after), after)
        if form := safe_form(before, after, key, major, temporary):
            found[each] = form
    return found


async def with_temporary_names(target: Target, found: Catalog, after: Catalog) -> Catalog | None:
    """The schema of the target with each retyped column under its temporary name, if there is one.

    PostgreSQL renames it in what depends on it; nothing is committed.
    """
    statements = list(rename_to_temporary(found, after))

    def read(connection: Connection) -> Catalog:
        for statement in statements:
            connection.exec_driver_sql(statement)
        return snapshot(connection, target.schemas, version_table=target.version_table)

    async with target.engine.connect() as connection:
        return await connection.run_sync(read) if statements else None
