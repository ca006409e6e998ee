"""revisions_of() reads the revision files, and parses none that revisions.lock was written from.

bytes of the files x revisions.lock -> (Revision, ...) as `revisions_in` reads them
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from surefoot.chain.lockfile import from_line, is_written_from, lock_lines
from surefoot.chain.revisions import Revision, parsed, revisions_in, slug_of

# A file that may say more than its line in the lock.
_SAYS_MORE = re.compile(rb"requires_code|requires_backfill|#\s*allow\s")
# The names of Alembic that the lock does not have, and where they say nothing.
_APART = re.compile(rb"\b(?:branch_labels|depends_on)\b")
_NOTHING = re.compile(rb"^(?:branch_labels|depends_on)\b[^=\n]*=[ \t]*None[ \t]*\r?$", re.MULTILINE)
_WORDS = re.compile(r"[\W_]+")


def revisions_of(lock: Path, codes: Mapping[str, bytes]) -> tuple[Revision, ...]:
    """The revisions in these files; `codes` are their bytes by their paths.

    On failure: RevisionsBroken.
    """
    return known_revisions(lock, codes) or revisions_in(codes)


def known_revisions(lock: Path, codes: Mapping[str, bytes]) -> tuple[Revision, ...] | None:
    """The same where the lock was written from these files, else None."""
    if not (lock.exists() and is_written_from(lock, codes)):
        return None
    return _by_lines([from_line(line) for line in lock_lines(lock)], codes)


def is_bare(code: bytes) -> bool:
    """Whether a revision file has neither labels nor dependencies, as far as its text tells."""
    return len(_APART.findall(code)) == len(_NOTHING.findall(code))


def _by_lines(
    locked: Sequence[Revision], codes: Mapping[str, bytes]
) -> tuple[Revision, ...] | None:
    """The revisions of the lock with what their files alone say; None where one has no file."""
    by_id = {each.id: each for each in locked}
    found: dict[str, Revision] = {}
    for name, code in codes.items():
        path = Path(name)
        line = _line(path.stem, by_id)
        told = None if line and not _SAYS_MORE.search(code) else parsed(path, code)[0]
        if told is not None:
            line = by_id.get(told.id)
        if line is None or line.id in found:
            return None
        found[line.id] = Revision(
            line.id,
            line.down,
            line.phase,
            line.slug,
            line.sha256,
            allowed=told.allowed if told else (),
            requires_code=told.requires_code if told else None,
            requires_backfill=told.requires_backfill if told else (),
            path=path,
        )
    return tuple(found[each.id] for each in locked) if len(found) == len(locked) else None


def _line(stem: str, by_id: Mapping[str, Revision]) -> Revision | None:
    """The revision of a file by its name; None where that leaves it open."""
    words = {stem.partition("_")[0], *_WORDS.split(stem)} & by_id.keys()
    fitting = [each for each in words if slug_of(stem, each) == by_id[each].slug]
    return by_id[fitting[0]] if len(fitting) == 1 else None
