"""Revisions are the files under `alembic/versions`, read from disk without running them.

versions/*.py -> read_revisions -> (Revision, ...) in the order in which they are applied
                                        |
revisions.lock <- write_lock -----------+----- compared by check_lock
       '-> read_lock -> the same, from one small file: what a running service reads
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import zip_longest
from pathlib import Path

from app.errors import LockFileStale, RevisionsBroken
from app.migrate.history.checksum import checksum

PHASES = ("expand", "contract")
CLEAN = "clean"
LOCK_HEADER = """\
# One line a revision, in order: id, the one before, phase, slug, sha256 of its code, the
# fingerprint of the schema that it gives, and lint's verdict: clean, or the rules that it breaks
# (- where nobody has looked yet).
# Two branches that add a revision conflict here before they conflict in a database.
# Written by `alembic revision`; after an edit by `vegafs lock`.
"""


@dataclass(frozen=True)
class Revision:
    """One file under `alembic/versions`."""

    id: str
    down: tuple[str, ...]
    phase: str
    slug: str
    sha256: str
    # Of the catalog after it; a file does not say, so it does not count as a difference.
    fingerprint: str | None = field(default=None, compare=False)
    # What lint said of it: CLEAN, or the rules of level error that it breaks, joined by +.
    verdict: str | None = field(default=None, compare=False)
    # Of a contract revision: the oldest revision whose code goes on working after it. The ledger
    # keeps it for builds that do not have the file; revisions.lock does not say.
    requires_code: str | None = field(default=None, compare=False)
    # Where it was read from; revisions.lock does not say.
    path: Path | None = field(default=None, compare=False)

    @property
    def file_name(self) -> str:
        """The name that `alembic revision` gives its file."""
        return f"{self.id}_{self.slug}.py"

    def line(self) -> str:
        """The revision as it stands in revisions.lock."""
        down, fingerprint = "+".join(self.down) or "-", self.fingerprint or "-"
        fields = (self.id, down, self.phase, self.slug, self.sha256, fingerprint)
        return "  ".join((*fields, self.verdict or "-"))

    @property
    def broken_rules(self) -> tuple[str, ...]:
        """The rules that lint found broken; none too where it has not looked."""
        return () if self.verdict in (None, CLEAN) else tuple(self.verdict.split("+"))


def read_revisions(versions: Path) -> tuple[Revision, ...]:
    """Every revision in the folder, each after those that it builds on.

    On failure: RevisionsBroken names the file and what is wrong with it.
    """
    found: dict[str, tuple[Revision, Path]] = {}
    for path in sorted(versions.glob("*.py")):
        revision = _read(path)
        if revision is None:
            continue
        if revision.id in found:
            raise RevisionsBroken(
                f"{found[revision.id][1].name} and {path.name} both say revision = {revision.id!r}",
                help="give one of them the next number, and its successor's down_revision with it",
            )
        found[revision.id] = (revision, path)
    return ordered(revision for revision, _ in found.values())


def ordered(revisions: Iterable[Revision]) -> tuple[Revision, ...]:
    """The revisions, each after those that it builds on, otherwise by id.

    On failure: RevisionsBroken for a missing predecessor or a circle.
    """
    waiting = {revision.id: revision for revision in sorted(revisions, key=lambda r: r.id)}
    known = set(waiting)
    done: dict[str, Revision] = {}
    for revision in waiting.values():
        for down in revision.down:
            if down not in known:
                raise RevisionsBroken(
                    f"{revision.id} builds on {down}, which no file has",
                    help="restore the file of that revision, or correct down_revision",
                )
    while waiting:
        ready = [r for r in waiting.values() if all(down in done for down in r.down)]
        if not ready:
            raise RevisionsBroken(
                f"the revisions {', '.join(sorted(waiting))} build on each other in a circle",
                help="correct down_revision in one of them",
            )
        for revision in ready:
            done[revision.id] = waiting.pop(revision.id)
    found = tuple(done.values())
    for revision in found:
        needed = revision.requires_code
        if needed is not None and needed not in ancestors(found, revision.down):
            raise RevisionsBroken(
                f"{revision.id} requires the code of {needed}, which is not among the revisions "
                "that it builds on",
                help="name one of those in requires_code: the oldest whose code works after it",
            )
    return found


def heads(revisions: Sequence[Revision]) -> frozenset[str]:
    """The ids that nothing builds on."""
    return frozenset(r.id for r in revisions) - {down for r in revisions for down in r.down}


def one_head(revisions: Sequence[Revision]) -> None:
    """On failure: RevisionsBroken names the heads, where there are several."""
    found = sorted(heads(revisions))
    if len(found) > 1:
        names = ", ".join(r.file_name for r in revisions if r.id in found)
        raise RevisionsBroken(
            f"the chain has {len(found)} heads: {names}",
            help="let the newer file build on the other one, under the next number, "
            "then `vegafs lock`",
        )


def ancestors(revisions: Sequence[Revision], ids: Iterable[str]) -> frozenset[str]:
    """The ids themselves and everything that they build on."""
    by_id = {revision.id: revision for revision in revisions}
    found: set[str] = set()
    waiting = list(ids)
    while waiting:
        current = waiting.pop()
        if current in by_id and current not in found:
            found.add(current)
            waiting.extend(by_id[current].down)
    return frozenset(found)


def read_lock(path: Path) -> tuple[Revision, ...]:
    """The revisions as revisions.lock names them, without a look at their files.

    On failure: RevisionsBroken where the file is missing or is not one of ours.
    """
    return tuple(map(from_line, lock_lines(path)))


def lock_lines(path: Path) -> Sequence[Sequence[str]]:
    """The lines of revisions.lock, taken apart: id, predecessors, phase, slug, sha256 and more.

    On failure: as `read_lock`.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise RevisionsBroken(
            f"{path} cannot be read: {error.strerror}", help="run `vegafs lock`"
        ) from None
    found = []
    for number, line in enumerate(lines, start=1):
        fields = line.split()
        if not fields or line.startswith("#"):
            continue
        if len(fields) != 7 or fields[2] not in PHASES:
            raise RevisionsBroken(
                f"{path}:{number} does not read as id, predecessor, phase, slug, sha256, "
                "fingerprint, verdict",
                help="resolve what git left there in the revision files, then run `vegafs lock`",
            )
        found.append(fields)
    return found


def from_line(line: Sequence[str]) -> Revision:
    """The revision of one of `lock_lines`."""
    identifier, down, phase, slug, sha256, *known = line
    fingerprint, verdict = (None if each == "-" else each for each in known)
    return Revision(identifier, predecessors(down), phase, slug, sha256, fingerprint, verdict)


def predecessors(field: str) -> tuple[str, ...]:
    """The ids that a line of revisions.lock names as those before it."""
    return () if field == "-" else tuple(field.split("+"))


def names_all_files(locked: Sequence[Revision], versions: Path) -> bool:
    """Whether the folder has the files that the lock names; else the lock cannot speak for them."""
    return {revision.file_name for revision in locked} == {p.name for p in versions.glob("*.py")}


def write_lock(path: Path, revisions: Sequence[Revision]) -> bool:
    """Write revisions.lock; whether that changed it."""
    text = LOCK_HEADER + "".join(f"{revision.line()}\n" for revision in revisions)
    if path.exists() and path.read_text(encoding="utf-8") == text:
        return False
    path.write_text(text, encoding="utf-8", newline="\n")
    return True


def with_known(revisions: Sequence[Revision], locked: Sequence[Revision]) -> tuple[Revision, ...]:
    """The revisions from disk with fingerprints and verdicts of the lock, up to the first edit.

    A schema is the work of all revisions up to it, so after the first difference none is known.
    """
    known: list[Revision] = []
    for revision, former in zip_longest(revisions, locked):
        if revision is None or revision != former:
            break
        known.append(replace(revision, fingerprint=former.fingerprint, verdict=former.verdict))
    return (*known, *revisions[len(known) :])


def check_lock(path: Path, revisions: Sequence[Revision]) -> None:
    """Compare revisions.lock with the files.

    On failure: LockFileStale lists each revision that is missing, gone or edited.
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
    if differences:
        raise LockFileStale(path.name, differences)


def _read(path: Path) -> Revision | None:
    """The revision in a file, or None where the file holds none."""
    try:
        tree = ast.parse(path.read_bytes(), filename=str(path))
    except (SyntaxError, ValueError) as error:
        line, reason = getattr(error, "lineno", None), getattr(error, "msg", str(error))
        raise RevisionsBroken(
            f"{path.name}:{line or 1} is not Python: {reason}",
            help="correct the file",
        ) from None
    values = _assigned(tree)
    if "revision" not in values:
        return None
    identifier, down, phase = values["revision"], values.get("down_revision"), values.get("phase")
    downs = (down,) if isinstance(down, str) else tuple(down or ())  # type: ignore[arg-type]  # checked below
    if not isinstance(identifier, str) or not all(isinstance(item, str) for item in downs):
        raise RevisionsBroken(
            f"{path.name}: revision and down_revision are not plain strings",
            help='write them as revision = "0008" and down_revision = "0007"',
        )
    if phase is None:
        # What does not say so is treated as what an older release may not survive.
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
    slug = path.stem.removeprefix(identifier).strip("_-") or path.stem
    return Revision(
        identifier,
        downs,
        str(phase),
        slug,
        checksum(tree),
        requires_code=requires_code,
        path=path,
    )


def _assigned(tree: ast.Module) -> Mapping[str, object]:
    """The module's names that are given a literal."""
    values: dict[str, object] = {}
    for statement in tree.body:
        if isinstance(statement, ast.Assign):
            targets: list[ast.expr] = statement.targets
        elif isinstance(statement, ast.AnnAssign) and statement.value is not None:
            targets = [statement.target]
        else:
            continue
        for target in targets:
            if isinstance(target, ast.Name):
                try:
                    values[target.id] = ast.literal_eval(statement.value)  # type: ignore[arg-type]  # not None here
                except ValueError:
                    values[target.id] = ...
    return values
