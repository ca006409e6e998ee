"""absolute() says where a relative destination of Alembic leads, such as `-2` or `shop@+1`."""

import re
from collections.abc import Sequence

from surefoot.chain.revisions import Revision
from surefoot.run.report import PlannedRevision

# Counted from where the database is; `0003-1` is counted from a revision.
_RELATIVE = re.compile(r"(.+@)?[+-]\d+")


def absolute(
    destination: str | None, plan: Sequence[PlannedRevision], revisions: Sequence[Revision]
) -> str | None:
    """The revision to which a relative destination leads by this plan; None for any other."""
    relative = _RELATIVE.fullmatch(destination or "")
    if relative is None or not plan:
        return None
    last = plan[-1]
    if last.direction != "downgrade":
        return last.revision
    down = next((each.down for each in revisions if each.id == last.revision), ())
    return (relative[1] or "") + (down[0] if down else "base")
