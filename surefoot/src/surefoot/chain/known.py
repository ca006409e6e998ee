"""revisions_of() reads the revision files, and parses none that revisions.lock was written from.

bytes of the files x revisions.lock -> (Revision, ...) as `revisions_in` reads them
"""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path

from surefoot.chain.lockfile import baseline, from_line, is_written_from, lock_lines
from surefoot.chain.revisions import Revision, parsed, revisions_in, slug_of, with_past

# A file that may say more than its line in the lock.
_SAYS_MORE = re.compile(rb"requires_code|requires_backfill|#\s*allow\s")
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
_WORDS = re.compile(r"[\W_]+")


def revisions_of(lock: Path, codes: Mapping[str, bytes]) -> tuple[Revision, ...]:
    """The revisions in these files; `codes` are their bytes by their paths.

    Those up to the baseline of the lock are of the past. On failure: RevisionsBroken.
    """
    try:
        text = lock.read_bytes()
    except OSError:
        text = b""
    return _revisions_of(lock, text, tuple(codes.items()))


# A command asks several times, and each run on a scratch database. The key is all that is read.
@lru_cache(maxsize=1)
def _revisions_of(
    lock: Path, _: bytes, files: tuple[tuple[str, bytes], ...]
) -> tuple[Revision, ...]:
    codes = dict(files)
    return with_past(known_revisions(lock, codes) or revisions_in(codes), baseline(lock))


def known_revisions(lock: Path, codes: Mapping[str, bytes]) -> tuple[Revision, ...] | None:
    """The same where the lock was written from these files, else None."""
    if not (lock.exists() and is_written_from(lock, codes)):
        return None
    return _by_lines([from_line(line) for line in lock_lines(lock)], codes)


def is_plain(code: bytes) -> bool:
    """Whether a revision file says which it is, and those before it, in so many words.

    So it has neither labels nor dependencies, as far as its text tells.
    """
    return bool(_ID.search(code)) and len(_PLACING.findall(code)) == len(_PLAIN.findall(code))


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
