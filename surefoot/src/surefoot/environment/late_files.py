"""A command imports the revision files that it runs, and no others.

Alembic imports them all to learn their order. Their text has it, too, and revisions.lock where it
was written from them.
"""

import re
from collections.abc import Mapping, Sequence

from alembic.script import ScriptDirectory

from surefoot.chain.known import revisions_of
from surefoot.compat.scripts import KnownFile, import_late
from surefoot.errors import RevisionsBroken
from surefoot.project import Project

_PHASE = re.compile(rb"^phase\b", re.MULTILINE)
# The names of Alembic that place a file, and where they say no more than an id and those before it.
_PLACING = re.compile(rb"\b(?:branch_labels|depends_on|down_revision)\b")
_ONE = rb"""(?:"[^"\\\n]*"|'[^'\\\n]*')"""
_PLAIN = re.compile(
    rb"^(?:(?:branch_labels|depends_on)\b[^=\n]*=[ \t]*None"
    rb"|down_revision\b[^=\n]*=[ \t]*(?:None|%b|\([ \t]*(?:%b[ \t]*,?[ \t]*)+\)))[ \t]*\r?$"
    % (_ONE, _ONE),
    re.MULTILINE,
)
_ID = re.compile(rb"^revision\b[^=\n]*=[ \t]*%b[ \t]*\r?$" % _ONE, re.MULTILINE)


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
        KnownFile(each.id, each.down, path, codes[path], _is_plain(codes[path]))
        for each, path in places
    ]


def _is_plain(code: bytes) -> bool:
    """Whether a revision file says which it is, and those before it, in so many words.

    So it has neither labels nor dependencies, as far as its text tells.
    """
    return bool(_ID.search(code)) and len(_PLACING.findall(code)) == len(_PLAIN.findall(code))
