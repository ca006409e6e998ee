"""Revisions are the files of the version locations, read from disk without running them.

versions/*.py -> read_revisions -> (Revision, ...) in the order in which they are applied
"""

import hashlib
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

from surefoot.chain.order import ordered
from surefoot.chain.source import executed, source_codes, source_of
from surefoot.errors import RevisionsBroken
from surefoot.errors.names import command
from surefoot.frozen import dataclass

PHASES = ("expand", "contract")
CLEAN = "clean"
# Where the revision was not seen to its end.
UNKNOWN = "unknown"


# Raised whenever the rules or the trace may judge a revision in another way than before.
RULES_VERSION = "8"

# It would end a field of revisions.lock, or make a comment of its line.
_NOT_IN_LINE = re.compile(r"[\s%]|^#")
# The names of a file that are read; a file is run where one of them shows only then.
_NAMES = (
    "revision",
    "down_revision",
    "depends_on",
    "branch_labels",
    "phase",
    "requires_code",
    "requires_backfill",
)
# Alembic loads no revision with one of these.
_NOT_IN_IDS = "@-+:"
# Alembic takes the id from such a name where the file does not say it.
_LEGACY_ID = re.compile(r"([a-f0-9]+)\.py$")
# An id, and a name that has it as a word.
_NAMED = re.compile(r"(.*?)\0(.*?)(?<![^\W_])\1(?![^\W_])(.*)", re.DOTALL)
# How fingerprints are taken: their ending. One that was taken in another way is not comparable.
FINGERPRINT_METHOD = "/2"


@dataclass(frozen=True)
class Revision:
    """One file of a version location."""

    id: str
    # The revisions that it builds on: down_revision and depends_on.
    down: tuple[str, ...]
    phase: str
    # The words of its file name. They are for people: another name is no other revision.
    slug: str = field(compare=False)
    sha256: str
    # Of the catalog after it. The file does not have it, so two revisions may differ in it.
    fingerprint: str | None = field(default=None, compare=False)
    # The result of lint: CLEAN, or the broken rules of level error and UNKNOWN, joined by +.
    verdict: str | None = field(default=None, compare=False)
    # Of the line in revisions.lock: fingerprint and verdict are known where it is that of the file.
    seal: str | None = field(default=None, compare=False)
    # The comments of its file that allow a rule to be broken, each with its place in the code.
    allowed: tuple[str, ...] = field(default=(), compare=False)
    # Of a contract revision: the oldest revision whose code still works after it. The ledger keeps
    # it for builds that do not have the file; revisions.lock does not have it.
    requires_code: str | None = field(default=None, compare=False)
    # The backfills that have to be complete before it; revisions.lock does not have them.
    requires_backfill: tuple[str, ...] = field(default=(), compare=False)
    # Whether it is taken as it is: the baseline of revisions.lock is this revision or builds on it.
    # No rule judges it, and it may end its transaction. The file does not have it.
    past: bool = field(default=False, compare=False)
    # Whether there is no revisions.lock that says so: it is then taken for the past, as all are,
    # but nobody has judged it.
    unlocked: bool = field(default=False, compare=False)
    # Where it was read from; not in revisions.lock.
    path: Path | None = field(default=None, compare=False)

    @property
    def name(self) -> str:
        """The name of its file, without `.py`; id and slug where the file is not at hand."""
        return f"{self.id}_{self.slug}" if self.path is None else self.path.stem

    @property
    def words(self) -> str:
        """The words of its slug, which are the beginning of its title."""
        return self.slug.replace("_", " ")

    @property
    def file_name(self) -> str:
        """The name of its file."""
        return f"{self.name}.py"

    def line(self) -> str:
        """The line of the revision in revisions.lock."""
        verdict = f"{self.verdict or '-'}/{self.made_seal()}"
        fields = (*self.fields_of_file(), self.fingerprint or "-", verdict)
        return "  ".join(map(in_line, fields))

    def fields_of_file(self) -> tuple[str, ...]:
        """The fields of that line which its file alone decides."""
        return self.id, "+".join(self.down) or "-", self.phase, self.slug, self.sha256

    def made_seal(self) -> str:
        """Binds fingerprint and verdict to the code, to its suppressions and to the rules."""
        bound = (self.sha256, *self.down, *self.allowed, self.fingerprint, self.verdict)
        return hashlib.sha256(repr((RULES_VERSION, *bound)).encode()).hexdigest()[:16]

    @property
    def broken_rules(self) -> tuple[str, ...]:
        """The rules that lint found broken; empty also where lint has not run."""
        parts = () if self.past else (self.verdict or CLEAN).split("+")
        return tuple(part for part in parts if part not in (CLEAN, UNKNOWN))

    @property
    def is_unknown(self) -> bool:
        """Whether lint has not seen all of it, and should have."""
        is_judged = self.verdict is not None and UNKNOWN not in self.verdict.split("+")
        return self.unlocked or not (self.past or is_judged)


def in_line(text: str) -> str:
    """The text as one field of revisions.lock: blanks are written as in a URL."""
    return _NOT_IN_LINE.sub(lambda found: quote(found[0]), text)


def read_revisions(*folders: Path, recursive: bool = False) -> tuple[Revision, ...]:
    """Every revision in the folders, each after those that it builds on.

    On failure: RevisionsBroken names the file and what is wrong with it.
    """
    return revisions_in(source_codes(*folders, recursive=recursive))


def revisions_in(
    codes: Mapping[str, bytes], known: Iterable[Revision] = ()
) -> tuple[Revision, ...]:
    """The same of files whose bytes are known, by their paths, and of those that were read."""
    found = {revision.id: revision for revision in known}
    labelled: dict[str, str] = {}
    for name, code in codes.items():
        revision, labels = parsed(path := Path(name), code)
        if revision is None:
            continue
        labelled.update(dict.fromkeys(labels, revision.id))
        if revision.id in found:
            files = " and ".join(each.name for each in (found[revision.id].path, path) if each)
            raise RevisionsBroken(
                f"{files} both say revision = {revision.id!r}",
                help=f"`{command()} rebase` gives those of this branch the next numbers",
            )
        found[revision.id] = revision
    return ordered(labels_as_ids(each, labelled) for each in found.values())


def labels_as_ids(revision: Revision, labelled: Mapping[str, str]) -> Revision:
    """The revision where each label of a branch that it names is the id that declares the label."""
    if labelled.keys().isdisjoint(revision.down):
        return revision
    return replace(revision, down=tuple(dict.fromkeys(labelled.get(d, d) for d in revision.down)))


def with_past(revisions: Sequence[Revision], baseline: Collection[str]) -> tuple[Revision, ...]:
    """The revisions, of which those up to the baseline are taken as they are.

    On failure: RevisionsBroken, where the baseline is no revision.
    """
    if unknown := sorted(set(baseline) - {revision.id for revision in revisions}):
        raise RevisionsBroken(
            f"the baseline names {', '.join(unknown)}, which no file has",
            help="name the newest revisions that are to be taken as they are; `alembic history` "
            "lists them",
        )
    below = ancestors(revisions, baseline)
    return tuple(
        replace(each, past=True, unlocked=False)
        if each.id in below and (each.unlocked or not each.past)
        else each
        for each in revisions
    )


def heads(revisions: Sequence[Revision]) -> frozenset[str]:
    """The ids that no revision builds on."""
    return frozenset(r.id for r in revisions) - {down for r in revisions for down in r.down}


def ancestors(revisions: Sequence[Revision], ids: Iterable[str]) -> frozenset[str]:
    """The ids, and all that they build on."""
    by_id = {revision.id: revision for revision in revisions}
    found: set[str] = set()
    waiting = list(ids)
    while waiting:
        current = waiting.pop()
        if current in by_id and current not in found:
            found.add(current)
            waiting.extend(by_id[current].down)
    return frozenset(found)


def up_to(chain: Sequence[Revision], ids: Iterable[str]) -> tuple[Revision, ...]:
    """The revisions with these ids, and all that they build on, in the order of the chain."""
    below = ancestors(chain, ids)
    return tuple(each for each in chain if each.id in below)


@lru_cache(maxsize=10_000)
def parsed(path: Path, code: bytes) -> tuple[Revision | None, tuple[str, ...]]:
    """The revision in a file, or None where the file holds none; the labels of its branch.

    Each run on a scratch database reads the whole chain again. On failure: RevisionsBroken.
    """
    source = source_of(path, code)
    values = source.names
    if "revision" not in values or any(values.get(name) is ... for name in _NAMES):
        values = executed(path)
    by_name = _LEGACY_ID.match(path.name)
    identifier = values.get("revision", by_name and by_name[1])
    if identifier is None:
        return None, ()  # Alembic refuses the file
    down, phase = values.get("down_revision"), values.get("phase")
    downs = (*_each(down), *_each(values.get("depends_on")))
    if not isinstance(identifier, str) or not all(isinstance(item, str) for item in downs):
        raise RevisionsBroken(
            f"{path.name}: revision, down_revision and depends_on are not strings",
            help='write them as revision = "0008" and down_revision = "0007"',
        )
    if refused := sorted({*identifier} & {*_NOT_IN_IDS}):
        raise RevisionsBroken(
            f"{path.name}: revision = {identifier!r} has {' '.join(refused)}, which Alembic takes "
            "for a part of a command, and not for one of an id",
            help="write another id, here and where a revision builds on it",
        )
    if phase is None:
        # Without a phase, the code of an older release may not survive it.
        phase = "contract"
    if phase not in PHASES:
        raise RevisionsBroken(
            f"{path.name}: phase is {phase!r}; it is expand or contract",
            help="expand: the previous release keeps working; contract: it would not",
        )
    requires_code = values.get("requires_code")
    if requires_code is not None and (phase != "contract" or not isinstance(requires_code, str)):
        raise RevisionsBroken(
            f"{path.name}: requires_code is {requires_code!r} in a revision of phase {phase}",
            help='a contract revision names the oldest revision whose code survives it: "0007"',
        )
    backfills = _each(values.get("requires_backfill"))
    if not all(isinstance(item, str) for item in backfills):
        raise RevisionsBroken(
            f"{path.name}: requires_backfill is {backfills[0]!r}",
            help='it names a file of the folder backfills, or several: "jobs_priority"',
        )
    found = Revision(
        identifier,
        downs,
        str(phase),
        slug_of(path.stem, identifier),
        source.sha256,
        requires_code=requires_code,
        requires_backfill=backfills,
        allowed=tuple(source.allowed),
        path=path,
    )
    return found, _each(values.get("branch_labels"))


def slug_of(stem: str, identifier: str) -> str:
    """The words of a file name after the id, or before it."""
    found = _NAMED.match(f"{identifier}\0{stem}")
    before, after = found.groups()[1:] if found else (stem, "")
    for each in (after, before):
        # Linux allows names that are no text.
        if words := each.encode("utf-8", "replace").decode().strip("_-. "):
            return words
    return identifier


def _each(value: Any) -> tuple[Any, ...]:
    """The items of a tuple or list, or the one value."""
    return tuple(value) if isinstance(value, (tuple, list, set)) else (value,) if value else ()
