"""Round trip: each revision goes up, down and up again on empty tables; head equals the models."""

from dataclasses import dataclass, field
from functools import partial

from sqlalchemy.ext.asyncio import AsyncConnection

from surefoot.catalog import Catalog, difference
from surefoot.catalog.claims import with_unclaimed
from surefoot.catalog.models import models_catalog
from surefoot.catalog.reading import snapshot
from surefoot.chain.revisions import Revision
from surefoot.errors import RoundTripDiffers, SurefootError
from surefoot.run.commands import downgrade, upgrade
from surefoot.target import Scratch, Target
from surefoot.testing.chain_tests import ChainTests, Walk
from surefoot.testing.conventions import path_of


@dataclass
class RoundTrip(Walk):
    """Also the catalog after each revision, and the differences between models and head."""

    catalogs: dict[str, Catalog] = field(default_factory=dict)
    models: list[str] = field(default_factory=list)


async def walk_round_trip(tests: ChainTests, scratch: Scratch) -> RoundTrip:
    """Run the round trip of each revision."""
    walk = RoundTrip()
    start, revisions = tests.line()
    async with scratch() as engine, engine.connect() as reader:
        target = tests.target(engine)
        if start is not None:
            await upgrade(target, start, squash=False, measure=False)
        before = await _catalog(target, reader)
        for revision in revisions:
            with walk.reaches(revision):
                # Of several heads, the one of the revision.
                former = revision.down[0] if revision.down else "-1"
                back = f"{revision.id}@{former}" if tests.branches else "-1"
                await _round(walk, target, reader, revision, before, back)
            if revision.id not in walk.reached:
                return walk
            before = walk.catalogs[revision.id]
        schema = [*tests.schemas, "public"][0]
        claimed, _ = await reader.run_sync(
            partial(models_catalog, database=before), [tests.metadata], schema
        )
        given, _ = with_unclaimed(claimed, before, tests.manages)
        walk.models.extend(map(str, difference(given.declarable(), before.declarable())))
    return walk


async def _catalog(target: Target, reader: AsyncConnection) -> Catalog:
    # A new session would read the system catalogs into its caches first.
    return await reader.run_sync(snapshot, target.schemas, version_table=target.version_table)


async def _round(
    walk: RoundTrip,
    target: Target,
    reader: AsyncConnection,
    revision: Revision,
    before: Catalog,
    back: str,
) -> None:
    await upgrade(target, revision.id, squash=False, measure=False)
    after = walk.catalogs[revision.id] = await _catalog(target, reader)
    try:
        await downgrade(target, back, measure=False)
    except SurefootError as error:
        if isinstance(error.__cause__, NotImplementedError):
            walk.left_out[revision.id] = f"no downgrade: {error.__cause__}"
        else:
            walk.failed(revision, error)
    else:
        _compare(walk, revision, before, await _catalog(target, reader), "after up and down")
    await upgrade(target, revision.id, squash=False, measure=False)
    _compare(walk, revision, after, await _catalog(target, reader), "after up, down and up again")


def _compare(
    walk: RoundTrip, revision: Revision, expected: Catalog, found: Catalog, way: str
) -> None:
    if differences := [str(each) for each in difference(expected, found)]:
        walk.failed(revision, RoundTripDiffers(path_of(revision).name, way, differences))
