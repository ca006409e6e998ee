"""The fingerprint of the schema after each revision, taken on a scratch database."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from surefoot.catalog import Catalog, snapshot
from surefoot.chain.revisions import Revision
from surefoot.run.commands import upgrade
from surefoot.target import Target


async def fingerprinted(scratch: Target, revisions: Sequence[Revision]) -> tuple[Revision, ...]:
    """The revisions with the fingerprint of the schema after each.

    `scratch` is an empty database that may be filled. On failure: as `upgrade`.
    """
    found = []
    for revision in revisions:
        await upgrade(scratch, revision.id, measure=False)
        catalog = await catalog_of(scratch)
        found.append(replace(revision, fingerprint=catalog.fingerprint()))
    return tuple(found)


async def catalog_of(target: Target) -> Catalog:
    """The catalog of the target."""
    async with target.engine.connect() as connection:
        read = partial(snapshot, schemas=target.schemas, version_table=target.version_table)
        return await connection.run_sync(read)
