"""The fingerprint of the schema after each revision, taken on a scratch database."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from surefoot.catalog import Catalog, snapshot
from surefoot.chain.revisions import Revision, ancestors
from surefoot.run.commands import upgrade
from surefoot.target import Target


async def fingerprinted(scratch: Target, revisions: Sequence[Revision]) -> tuple[Revision, ...]:
    """The revisions with the fingerprint of the schema after each, None where branches were mixed.

    `scratch` is an empty database that may be filled. On failure: as `upgrade`.
    """
    found: list[Revision] = []
    for revision in revisions:
        await upgrade(scratch, revision.id, measure=False)
        is_alone = len(ancestors(revisions, [revision.id])) == len(found) + 1
        fingerprint = (await catalog_of(scratch)).fingerprint() if is_alone else None
        found.append(replace(revision, fingerprint=fingerprint))
    return tuple(found)


async def catalog_of(target: Target) -> Catalog:
    """The catalog of the target."""
    async with target.engine.connect() as connection:
        read = partial(snapshot, schemas=target.schemas, version_table=target.version_table)
        return await connection.run_sync(read)
