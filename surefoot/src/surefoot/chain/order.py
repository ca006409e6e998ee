"""ordered() puts revisions after those that they build on, in one walk over all of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING

from surefoot.errors import RevisionsBroken

if TYPE_CHECKING:
    from surefoot.chain.revisions import Revision


def ordered(revisions: Iterable[Revision]) -> tuple[Revision, ...]:
    """The revisions, each after those that it builds on, otherwise by id.

    On failure: RevisionsBroken for a missing predecessor, a circle, or code that is required and
    does not come before.
    """
    by_id = {revision.id: revision for revision in sorted(revisions, key=lambda r: r.id)}
    for revision in by_id.values():
        for down in revision.down:
            if down not in by_id:
                raise RevisionsBroken(
                    f"{revision.id} builds on {down}, which no file has",
                    help="restore its file, or correct down_revision or depends_on",
                )
    sorter = TopologicalSorter({revision.id: revision.down for revision in by_id.values()})
    try:
        sorter.prepare()
    except CycleError as error:
        circle = ", ".join(sorted(set(error.args[1])))
        raise RevisionsBroken(
            f"the revisions {circle} build on each other in a circle",
            help="correct down_revision in one of them",
        ) from None
    found: list[Revision] = []
    while sorter.is_active():
        ready = sorted(sorter.get_ready())
        found.extend(by_id[identifier] for identifier in ready)
        sorter.done(*ready)
    _refuse_requirements(found)
    return tuple(found)


def _refuse_requirements(ordered: Sequence[Revision]) -> None:
    """On failure: RevisionsBroken, where code is required that does not come before."""
    numbers = {revision.id: number for number, revision in enumerate(ordered)}
    # Of each revision the numbers of those that it builds on, as the bits of one integer.
    below: dict[str, int] = {}
    for revision in ordered:
        bits = 0
        for down in revision.down:
            bits |= below[down] | 1 << numbers[down]
        below[revision.id] = bits
        needed = revision.requires_code
        if needed is not None and not (needed in numbers and bits >> numbers[needed] & 1):
            raise RevisionsBroken(
                f"{revision.id} requires the code of {needed}, which is not among the revisions "
                "that it builds on",
                help="name one of those in requires_code: the oldest whose code works after it",
            )
