"""absolute() says where a relative destination of Alembic leads, such as `-2` or `shop@+1`."""

import re
from collections.abc import Sequence

from surefoot.chain.revisions import Revision, ancestors
from surefoot.chain.way_back import way_back
from surefoot.run.report import PlannedRevision

# Counted from where the database is; `0003-1` is counted from a revision.
_RELATIVE = re.compile(r"(.+@)?[+-]\d+")


def absolute(
    destination: str | None, plan: Sequence[PlannedRevision], revisions: Sequence[Revision]
) -> str | None:
    """The destination that a relative one means by this plan; None for any other.

    None also where no revision leads there, which only a chain with branches can have.
    """
    relative = _RELATIVE.fullmatch(destination or "")
    if relative is None or not plan:
        return None
    last = plan[-1]
    if last.direction != "downgrade":
        return last.revision
    applied = ancestors(revisions, plan[0].before)
    end = way_back(revisions, applied, [each.revision for each in plan])
    is_root = not any(each.down for each in revisions if each.id == last.revision)
    return f"{relative[1]}base" if end is None and relative[1] and is_root else end
