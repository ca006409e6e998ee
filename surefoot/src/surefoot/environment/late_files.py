"""A command imports the revision files that it runs, and no others.

Alembic imports them all to learn their order. Their text has it, too, and revisions.lock where it
was written from them.
"""

import re
from collections.abc import Mapping, Sequence

from alembic.script import ScriptDirectory

from surefoot.chain.known import is_plain, revisions_of
from surefoot.compat.scripts import KnownFile, import_late
from surefoot.errors import RevisionsBroken
from surefoot.project import Project

_PHASE = re.compile(rb"^phase\b", re.MULTILINE)


def put_off(script: ScriptDirectory, project: Project) -> None:
    """Let `script` import each file when its module is asked for.

    A file whose text leaves its place open, or that has labels or dependencies, is imported with
    the first question. On failure, then: RevisionsBroken, where a file cannot be read.
    """
    import_late(script, lambda: _files(project))


def phases(project: Project) -> Mapping[str, str]:
    """The phase of each revision; none of them where Alembic has to import them.

    A file that names no phase has none in a listing. On failure: as `put_off`.
    """
    files = _files(project)
    said = {each.id: each.phase for each in project.revisions()} if files else {}
    return {each.id: said[each.id] if _PHASE.search(each.code) else "" for each in files}


def _files(project: Project) -> Sequence[KnownFile]:
    """The revision files; none of them where Alembic says better what is wrong with one."""
    codes = project.codes()
    try:
        known = revisions_of(project.lock, codes)
    except RevisionsBroken:
        return ()
    if len(known) != len(codes):
        return ()
    places = ((each, str(each.path)) for each in known)
    return [
        KnownFile(each.id, each.down, path, codes[path], is_plain(codes[path]))
        for each, path in places
    ]
