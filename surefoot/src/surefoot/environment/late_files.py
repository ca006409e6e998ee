"""A command that only looks imports no revision file that revisions.lock was written from.

Alembic imports them all to learn their order, which the lock has too.
"""

import re
from collections.abc import Mapping

from alembic.script import ScriptDirectory

from surefoot.chain.known import is_bare, known_revisions
from surefoot.compat.scripts import KnownFile, import_late
from surefoot.project import Project

_PHASE = re.compile(rb"^phase\b", re.MULTILINE)


def phases_known(script: ScriptDirectory, project: Project) -> Mapping[str, str]:
    """Let `script` have the revisions of the lock; the phase of each.

    Without any, nothing was done: the lock was not written from these files, or a file has labels
    or dependencies, which the lock does not tell apart. On failure: RevisionsBroken.
    """
    codes = project.codes()
    known = known_revisions(project.lock, codes)
    if not known or script.sourceless or not all(map(is_bare, codes.values())):
        return {}
    files = [(each, codes[str(each.path)]) for each in known]
    import_late(
        script,
        [KnownFile(each.id, each.down, str(each.path), code) for each, code in files],
    )
    # A file that names no phase has none in a listing.
    return {each.id: each.phase if _PHASE.search(code) else "" for each, code in files}
