"""The revision that mine are to stand behind, by its name."""

from collections.abc import Sequence

from surefoot.branches.renumbering import end_of
from surefoot.chain.revisions import Revision, heads
from surefoot.chain.typed import near
from surefoot.errors import RevisionUnknown, UsageError
from surefoot.errors.names import command
from surefoot.wording import counted


def onto_one(theirs: Sequence[Revision], mine: Sequence[Revision], named: str | None) -> str:
    """The id of that revision; empty where they have none. On failure: RevisionUnknown, UsageError.

    Without a name it is the newest one, where there is one line of theirs that mine can follow.
    """
    newest = heads(theirs)
    if named is None:
        ends = end_of(theirs, mine)
        if len(ends) > 1:
            raise UsageError(
                f"their chain has {counted(len(ends), 'head')}: {', '.join(ends)}",
                help=f"name the one to stand behind: `{command()} rebase --onto {ends[0]}`",
            )
        return ends[0] if ends else ""
    ids = [each.id for each in theirs]
    if named not in ids:
        raise RevisionUnknown(f"the branch has no revision {named!r}", near(named, theirs))
    if named not in newest:
        after = next(each.id for each in theirs if named in each.down)
        raise UsageError(
            f"{named} is not the newest revision of its line: {after} builds on it",
            help=f"leave --onto out, or name one of {', '.join(sorted(newest))}",
        )
    return named
