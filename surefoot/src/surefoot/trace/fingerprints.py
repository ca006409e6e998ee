"""The fingerprint of the schema after each revision, taken on a scratch database."""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection

from surefoot.catalog import Catalog, fingerprint, snapshot
from surefoot.chain.revisions import Revision, ancestors, heads
from surefoot.run.commands import upgrade
from surefoot.run.events import Event, Listen, RevisionDone, Squashed, ignore
from surefoot.run.scratch import in_turn
from surefoot.target import Target

Keep = Callable[[tuple[Revision, ...]], object]
# How often those that were found are handed over to be kept.
KEPT_S = 1.0


def lacking(revisions: Sequence[Revision]) -> frozenset[str]:
    """The revisions whose fingerprint is not known and can be taken.

    A database can be at one alone, in whatever order branches run, where every other revision
    builds on it or is built on by it. The last one has that of all heads. Of those that are taken
    as they are only the newest has one: a look at a large schema takes longer than a revision, and
    `ops adopt` compares a database at an older one with the chain.
    """
    past = [revision for revision in revisions if revision.past]
    older = {revision.id for revision in past} - heads(past)
    place = {revision.id: number for number, revision in enumerate(revisions)}
    # The first place that all later revisions build on.
    after = [max((place[down] for down in each.down), default=-1) for each in revisions]
    after.append(len(revisions))
    for number in reversed(range(len(revisions))):
        after[number] = min(after[number], after[number + 1])
    found: set[str] = set()
    newest: set[str] = set()
    for number, revision in enumerate(revisions):
        newest = (newest - set(revision.down)) | {revision.id}
        is_alone = len(newest) == 1 and after[number + 1] >= number
        if (
            (is_alone or number == len(revisions) - 1)
            and revision.fingerprint is None
            and revision.id not in older
        ):
            found.add(revision.id)
    return frozenset(found)


async def fingerprinted(
    scratch: Target,
    revisions: Sequence[Revision],
    to: Sequence[str] | None = None,
    *,
    listen: Listen = ignore,
    keep: Keep = lambda _: None,
) -> tuple[Revision, ...]:
    """Run the chain up to `to`, its heads by default: the revisions with their fingerprints.

    Those that are known are not taken again: their revisions run without a look at the schema. A
    revision beside another branch has none, but for the last: that of all heads. `scratch` is an
    empty database that may be filled, or one at a part of the chain. `keep` is given those found so
    far, from time to time and at the end, also on failure: as `upgrade`.
    """
    wanted, found = lacking(revisions), dict[str, str]()
    # With several heads it may run before the others.
    last = revisions[-1].id if revisions else ""
    targets = in_turn(scratch, revisions, sorted(heads(revisions) if to is None else to))
    # A look at the schema needs a commit.
    looks = (wanted - {last}) & ancestors(revisions, targets)
    kept_s = time.monotonic()

    def known() -> tuple[Revision, ...]:
        return tuple(
            replace(each, fingerprint=found.get(each.id, each.fingerprint)) for each in revisions
        )

    async with scratch.engine.connect() as opened:
        reader: Any = opened.sync_connection

        def fingerprint_in(connection: Connection) -> str:
            return fingerprint(connection, scratch.schemas, scratch.version_table)

        def hear(event: Event) -> None:
            nonlocal kept_s
            listen(event)
            done = event.revision.revision if isinstance(event, RevisionDone) else None
            done = event.revision if isinstance(event, Squashed) else done
            if done in wanted - {last}:
                found[done] = fingerprint_in(reader)
                if time.monotonic() - kept_s > KEPT_S:
                    keep(known())
                    kept_s = time.monotonic()

        try:
            for each in targets:
                await upgrade(
                    scratch, each, listen=hear, measure=False, together=not looks, squash=False
                )
            if last in wanted and heads(revisions) == {*targets}:
                found[last] = await opened.run_sync(fingerprint_in)
        finally:
            if found:
                keep(known())
    return known()


async def catalog_of(target: Target) -> Catalog:
    """The catalog of the target."""
    async with target.engine.connect() as connection:
        return await connection.run_sync(
            snapshot, target.schemas, version_table=target.version_table
        )
