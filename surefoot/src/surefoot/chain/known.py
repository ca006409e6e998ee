"""revisions_of() reads the revision files, and parses none that revisions.lock was written from.

bytes of the files x revisions.lock -> (Revision, ...) as `revisions_in` reads them
"""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path

from surefoot.chain.lockfile import baseline, is_written_from, read_lock, said_of_files
from surefoot.chain.revisions import Revision, parsed, revisions_in, slug_of, with_past
from surefoot.errors import RevisionsBroken

# A file that may say more than its line in the lock.
_SAYS_MORE = re.compile(rb"requires_code|requires_backfill|#\s*allow\s")
_WORDS = re.compile(r"[\W_]+")


def revisions_of(lock: Path, codes: Mapping[str, bytes]) -> tuple[Revision, ...]:
    """The revisions in these files; `codes` are their bytes by their paths.

    Those up to the baseline of the lock are of the past. On failure: RevisionsBroken.
    """
    return _revisions_of(lock, said_of_files(lock), tuple(codes.items()))


# A command asks several times, and each run on a scratch database. The key is all that is read;
# fingerprints and verdicts, which a command writes as it finds them, are not.
@lru_cache(maxsize=1)
def _revisions_of(
    lock: Path, _: Sequence[str], files: tuple[tuple[str, bytes], ...]
) -> tuple[Revision, ...]:
    codes = dict(files)
    return with_past(known_revisions(lock, codes) or revisions_in(codes), baseline(lock))


def known_revisions(lock: Path, codes: Mapping[str, bytes]) -> tuple[Revision, ...] | None:
    """The same where the lock was written from these files, but for new ones; else None."""
    if not lock.exists():
        return None
    locked = read_lock(lock)
    if is_written_from(lock, codes):
        return _by_lines(locked, codes)
    by_id = {each.id: each for each in locked}
    new = {name: code for name, code in codes.items() if _is_new(Path(name), code, by_id)}
    former = {name: code for name, code in codes.items() if name not in new}
    known = _by_lines(locked, former) if new and is_written_from(lock, former) else None
    if known is None:
        return None
    try:
        return revisions_in(new, known)
    except RevisionsBroken:
        return None  # one may build on the label of another file


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
            past=line.past,
            path=path,
        )
    return tuple(found[each.id] for each in locked) if len(found) == len(locked) else None


def _is_new(path: Path, code: bytes, by_id: Mapping[str, Revision]) -> bool:
    """Whether no line is of the revision in a file. On failure: RevisionsBroken."""
    if _line(path.stem, by_id) is not None:
        return False
    told = parsed(path, code)[0]
    return told is None or told.id not in by_id


def _line(stem: str, by_id: Mapping[str, Revision]) -> Revision | None:
    """The revision of a file by its name; None where that leaves it open."""
    words = {stem.partition("_")[0], *_WORDS.split(stem)} & by_id.keys()
    fitting = [each for each in words if slug_of(stem, each) == by_id[each].slug]
    return by_id[fitting[0]] if len(fitting) == 1 else None
