"""revisions.lock is the chain in one small file, which a running service reads.

(Revision, ...) from disk -> write_lock -> revisions.lock -> read_lock -> the same
             '---------------- compared by check_lock ---------'
"""

import hashlib
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from itertools import zip_longest
from pathlib import Path
from urllib.parse import unquote

from surefoot.chain.backfills import backfill_lines, is_of_backfill
from surefoot.chain.conflict import FILES, conflict_line
from surefoot.chain.order import ordered
from surefoot.chain.revisions import (
    FINGERPRINT_METHOD,
    PHASES,
    Revision,
    heads,
    in_line,
    with_past,
)
from surefoot.chain.source import code_of
from surefoot.errors import FileNotWritable, LockFileStale, RevisionsBroken
from surefoot.errors.names import command, program

_HEADER = """\
# One line a revision, in order: id, the one before, phase, slug, sha256 of its code, the
# fingerprint of the schema that it gives, and lint's verdict: clean, unknown, or the rules that it
# breaks (- where nobody has looked yet), with a seal of what the verdict is of.
# Two branches that add a revision conflict here: `{command} rebase` puts yours behind theirs.
# The baseline, where there is one: the revisions up to it are taken as they are.
# Written by `alembic revision`; after an edit by `{command} lock`.
"""
# The first of the two fields of that line.
_BASELINE = "baseline"
_FIELDS = "id, predecessor, phase, slug, sha256, fingerprint, verdict"
# So many fields of a line are of the file: id, predecessor, phase, slug and sha256.
_OF_FILE = 5


def lock_header() -> str:
    """The comment that revisions.lock opens with."""
    return _HEADER.format(command=program())


def read_lock(path: Path) -> tuple[Revision, ...]:
    """The revisions by revisions.lock alone; their files are not read.

    On failure: RevisionsBroken, where the file is missing or a line cannot be parsed.
    """
    return _revisions(path, _text(path))


def lock_lines(path: Path) -> Sequence[Sequence[str]]:
    """The fields of each line, as _FIELDS names them.

    On failure: as `read_lock`.
    """
    return _fields_of(path, _text(path))


# A run asks several times. The text is the key, so that a changed file is noticed.
@lru_cache(maxsize=4)
def _revisions(path: Path, text: str) -> tuple[Revision, ...]:
    return with_past(tuple(map(from_line, _fields_of(path, text))), _baseline(text))


@lru_cache(maxsize=4)
def _fields_of(path: Path, text: str) -> Sequence[Sequence[str]]:
    found: dict[str, list[str]] = {}
    if not text.strip("\r\n"):
        raise RevisionsBroken(f"{path} is empty", help=f"run `{command()} lock`")
    rebase = f"run `{command()} rebase`: it puts your revisions behind theirs, and writes the file"
    if (conflict := conflict_line(text)) is not None:
        wrong = "has a conflict of git: two branches have changed it"
        raise RevisionsBroken(f"{path}:{conflict} {wrong}", help=rebase)
    for number, line in enumerate(text.splitlines(), start=1):
        fields = _fields(line)
        if not fields or line.startswith("#") or _is_baseline(fields) or is_of_backfill(fields):
            continue
        is_line = len(fields) == 7 and fields[2] in PHASES
        if not is_line or fields[0] in found:
            wrong = f"has {fields[0]} a second time" if is_line else f"does not read as {_FIELDS}"
            help_ = rebase if is_line else f"run `{command()} lock`: it writes the file"
            raise RevisionsBroken(f"{path}:{number} {wrong}", help=help_)
        found[fields[0]] = fields
    return [*found.values()]


def baseline(path: Path) -> frozenset[str]:
    """The revisions up to which the chain is taken as it is; none where the file does not say.

    It is read from a file that has merge conflicts, too. On failure: RevisionsBroken.
    """
    return _baseline(_text(path)) if path.exists() else frozenset()


def _baseline(text: str) -> frozenset[str]:
    lines = (line for line in text.splitlines() if line.lstrip().startswith(_BASELINE))
    taken = [fields[1] for fields in map(_fields, lines) if _is_baseline(fields)]
    return frozenset(predecessors("+".join(taken) or "-"))


def _fields(line: str) -> list[str]:
    """The fields of a line; blanks in them are written as in a URL."""
    fields = line.split()
    return [unquote(each) for each in fields] if "%" in line else fields


def _is_baseline(fields: Sequence[str]) -> bool:
    return len(fields) == 2 and fields[0] == _BASELINE


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise RevisionsBroken(
            f"there is no {path}",
            help=f"`{command()} lock` writes it, also before the first revision; an image needs it",
        ) from None
    except OSError as error:
        reason = f"{path} cannot be read: {error.strerror}"
        raise RevisionsBroken(reason, help=f"run `{command()} lock`") from None
    except UnicodeDecodeError:
        # Nobody knows its baseline.
        raise RevisionsBroken(
            f"{path} cannot be read: it is no text",
            help=f"restore it, or remove it and run `{command()} lock`",
        ) from None


def lines_of(path: Path, text: str) -> tuple[Revision, ...]:
    """The revisions of the lock in another commit, or of one side of a conflict.

    On failure: RevisionsBroken; `path` is named there.
    """
    return _revisions(path, text)


def in_order(path: Path, text: str) -> str:
    """The text of a lock with its revisions in the order in which they apply.

    On failure: RevisionsBroken, as where two of them have one id; `path` is named there.
    """
    places = {each.id: place for place, each in enumerate(ordered(_revisions(path, text)))}
    lines = text.splitlines(keepends=True)
    of_revisions = [line for line in lines if _fields(line)[:1] and _fields(line)[0] in places]
    following = iter(sorted(of_revisions, key=lambda line: places[_fields(line)[0]]))
    return "".join(next(following) if line in of_revisions else line for line in lines)


def from_line(line: Sequence[str]) -> Revision:
    """The revision of a line of `lock_lines`; a fingerprint of another method counts as none."""
    identifier, down, phase, slug, sha256, *known = line
    verdict, _, seal = known[1].partition("/")
    fingerprint = None if known[0] == "-" else known[0]
    if fingerprint is not None and not fingerprint.endswith(FINGERPRINT_METHOD):
        fingerprint = None
    return Revision(
        identifier,
        predecessors(down),
        phase,
        slug,
        sha256,
        fingerprint,
        None if verdict == "-" else verdict,
        seal,
    )


def predecessors(field: str) -> tuple[str, ...]:
    """The ids in the second field of a line."""
    return () if field == "-" else tuple(field.split("+"))


def said_of_files(path: Path) -> Sequence[str]:
    """Its lines without fingerprints and verdicts, which do not follow from the files.

    None where there is no lock. On failure: as `read_lock`.
    """
    if not path.exists():
        return ()
    return _said_of_files(path, _text(path))


@lru_cache(maxsize=1)
def _said_of_files(path: Path, text: str) -> Sequence[str]:
    _fields_of(path, text)  # it refuses what is no lock
    return tuple("  ".join(line.split()[:_OF_FILE]) for line in text.splitlines())


def is_written_from(path: Path, codes: Mapping[str, bytes]) -> bool:
    """Whether these are the files that the lock was written from, byte by byte.

    `codes` are their bytes by their paths. False also where a file differs in what does not run,
    such as a comment: the files have to be parsed then. On failure: as `read_lock`.
    """
    text = _text(path)
    return f"{FILES}{_digest(codes, _fields_of(path, text))}\n" in text


def _digest(codes: Mapping[str, bytes], lines: Iterable[Sequence[str]]) -> str:
    """One hash over the names and the bytes of the files, line ends apart, and over their lines."""
    parts: list[bytes] = []
    for name, code in sorted(
        (path.rpartition(os.sep)[2], code.replace(b"\r\n", b"\n")) for path, code in codes.items()
    ):
        parts += f"{name} {len(code)}\n".encode("utf-8", "surrogateescape"), code
    parts += ("  ".join(line[:_OF_FILE]).encode() for line in lines)
    return hashlib.sha256(b"".join(parts)).hexdigest()


def lock_text(revisions: Sequence[Revision]) -> str:
    """The content of revisions.lock. On failure: RevisionsBroken, where a file cannot be read."""
    files = [revision.path for revision in revisions if revision.path is not None]
    hashed = ""
    if len(files) == len(revisions):
        codes = {name: code_of(name) for name in map(str, files)}
        hashed = f"{FILES}{_digest(codes, map(Revision.fields_of_file, revisions))}\n"
    past = sorted(heads([each for each in revisions if each.past and not each.unlocked]))
    taken = f"{_BASELINE}  {in_line('+'.join(past))}\n" if past else ""
    lines = "".join(f"{revision.line()}\n" for revision in revisions)
    return lock_header() + hashed + taken + lines


def write_lock(path: Path, revisions: Sequence[Revision]) -> bool:
    """Write revisions.lock; True where that changed it. On failure: FileNotWritable."""
    from surefoot.chain.whole_file import write_whole  # noqa: PLC0415 - a service writes none

    written = (lock_text(revisions) + backfill_lines(path)).encode()
    try:
        if path.exists() and path.read_bytes() == written:
            return False
    except OSError as error:
        raise FileNotWritable(str(path), error.strerror or str(error)) from None
    write_whole(path, written)
    return True


def with_known(revisions: Sequence[Revision], locked: Sequence[Revision]) -> tuple[Revision, ...]:
    """The revisions from disk with the fingerprints and verdicts of the lock, up to the first edit.

    A schema depends on all revisions before it, so none is known after the first difference.
    Nor is one known whose seal is not that of its file: a suppression was removed, the line was
    edited by hand, or the rules are newer.
    """
    known: list[Revision] = []
    for revision, former in zip_longest(revisions, locked):
        if revision is None or revision != former:
            break
        told = replace(revision, fingerprint=former.fingerprint, verdict=former.verdict)
        known.append(told if told.made_seal() == former.seal else revision)
    return (*known, *revisions[len(known) :])


def check_lock(path: Path, revisions: Sequence[Revision]) -> None:
    """Compare revisions.lock with the files.

    On failure: LockFileStale, with each revision that is missing, gone or edited.
    """
    locked = {revision.id: revision for revision in read_lock(path)} if path.exists() else {}
    on_disk = {revision.id: revision for revision in revisions}
    differences = [
        *(f"{i} is not in it" for i in on_disk if i not in locked),
        *(f"{i} has no file" for i in locked if i not in on_disk),
        *(f"{i} was edited" for i in on_disk if i in locked and on_disk[i] != locked[i]),
    ]
    if not differences and list(locked) != list(on_disk):
        differences = ["the order differs"]
    elif revisions and not path.exists():
        differences = ["it does not exist"]
    if differences:
        raise LockFileStale(path.name, differences)


def check_seals(path: Path, revisions: Sequence[Revision]) -> None:
    """Compare the verdicts of a lock that `check_lock` accepts with what they are of.

    On failure: LockFileStale, with each verdict that production would not believe.
    """
    locked = read_lock(path)
    told = with_known(revisions, locked)
    unsealed = [a.id for a, b in zip(told, locked, strict=True) if a.verdict != b.verdict]
    if unsealed:
        of = "is of other code or rules"
        raise LockFileStale(path.name, [f"the verdict of {each} {of}" for each in unsealed])
