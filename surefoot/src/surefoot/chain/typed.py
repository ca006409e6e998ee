"""A revision by the name that a person types, and the nearest one where there is none. Pure."""

from collections.abc import Sequence

from surefoot.chain.numbering import is_number
from surefoot.chain.revisions import Revision, heads
from surefoot.errors import RevisionUnknown
from surefoot.wording import nearest


def revision_typed(name: str, revisions: Sequence[Revision]) -> str:
    """The id of one revision: as it is, `head`, or the beginning of an id.

    On failure: RevisionUnknown, where no revision or several have that name.
    """
    ids, newest = [each.id for each in revisions], sorted(heads(revisions))
    if name in ids:
        return name
    if name in ("head", "heads"):
        if len(newest) == 1:
            return newest[0]
        several = ", ".join(newest) or "none"
        raise RevisionUnknown(f"there is not one head ({several}): name the revision itself")
    found = [each for each in ids if name and each.startswith(name)]
    if len(found) > 1:
        raise RevisionUnknown(f"{name!r} is not one revision: {', '.join(found)} begin with it")
    return found[0] if found else _refuse(name, revisions)


def near(name: str, revisions: Sequence[Revision], also: Sequence[str] = ()) -> str | None:
    """The id that a misspelt name is nearest to, by number, spelling or title.

    `also` are other names that could be typed in its place.
    """
    numbers = [each.id for each in reversed(revisions) if is_number(each.id)]
    if numbers and is_number(name):
        return min(numbers, key=lambda each: abs(int(each) - int(name)))
    spelled = {key: each.id for each in revisions for key in (each.id, each.slug, each.name)}
    spelled.update(zip(also, also, strict=True))
    return spelled.get(nearest(name, spelled) or "")


def _refuse(name: str, revisions: Sequence[Revision]) -> str:
    raise RevisionUnknown(f"no revision is {name!r}", near(name, revisions, ["head"]))
