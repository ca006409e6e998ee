"""Git tells which revision files are new, and which ones another branch has already."""

import re
from pathlib import Path

from surefoot.chain.lockfile import lines_of
from surefoot.errors import UsageError
from surefoot.git import check_known, git, text_at, upstream

_NAMES = ("--name-only", "--relative", "-z")


def changed_since(folder: Path, reference: str) -> set[Path]:
    """Files below the folder that differ from a commit, or that git does not know.

    Ignored ones as well: git cannot say when they changed. On failure: UsageError.
    """
    for each in filter(None, re.split(r"\.{2,3}", reference)):
        check_known(folder, each)
    changed = git(folder, "diff", *_NAMES, "--diff-filter=d", reference, "--", ".")
    added = git(folder, "ls-files", "--others", "-z", "--", ".")
    return _paths(folder, changed + added)


def staged(folder: Path) -> tuple[set[Path], set[Path]]:
    """Files below the folder that the next commit adds or changes, and those edited after that.

    On failure: UsageError.
    """
    found = git(folder, "diff", *_NAMES, "--diff-filter=d", "--cached", "--", ".")
    later = git(folder, "diff", *_NAMES, "--", ".")
    return _paths(folder, found), _paths(folder, found) & _paths(folder, later)


def released(lock: Path, reference: str | None = None) -> tuple[frozenset[str], str]:
    """The revisions in the lock file of another branch, and its name.

    That is the upstream of this branch, or else the default branch of `origin`. On failure:
    UsageError, where git knows neither, or the branch has no lock file that can be read.
    """
    name = reference or _upstream(lock.parent)
    check_known(lock.parent, name)
    return frozenset(each.id for each in lines_of(lock, text_at(lock, name))), name


def _upstream(folder: Path) -> str:
    if (found := upstream(folder)) is not None:
        return found
    raise UsageError(
        "git knows no upstream of this branch, so nobody can tell which revisions are released",
        help="name the branch that has the released ones: --since origin/main",
    )


def _paths(folder: Path, names: str) -> set[Path]:
    return {(folder / name).resolve() for name in names.split("\0") if name}
