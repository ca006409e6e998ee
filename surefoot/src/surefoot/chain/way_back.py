"""way_back() finds the downgrade that reverts some revisions of a database, and no others."""

from collections.abc import Collection, Sequence

from surefoot.chain.revisions import Revision, ancestors

BASE = "base"


def way_back(
    chain: Sequence[Revision], applied: Collection[str], reverted: Collection[str]
) -> str | None:
    """Where `alembic downgrade` has to go, so that it reverts these of the applied revisions.

    It reverts whatever builds on the revision that it is given. None where no revision leads there.
    """
    if {*applied} == {*reverted}:
        return BASE
    by_id = {each.id: each for each in chain}
    # The revisions that they build on; one of these is the last that stays.
    edge = {down for each in reverted if each in by_id for down in by_id[each].down}
    for end in sorted(edge - {*reverted}):
        above = {each.id for each in chain if end in ancestors(chain, each.down)}
        if above & {*applied} == {*reverted}:
            return end
    return None
