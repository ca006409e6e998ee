"""Git as the user has it: what it answers about the repository of a folder."""

import subprocess
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from surefoot.errors import UsageError
from surefoot.wording import suggestion

_REMOTE = ("origin/HEAD", "origin/main", "origin/master")
_LOCAL = ("main", "master")


def git(folder: Path, *arguments: str) -> str:
    """The output of git. On failure: UsageError with its message."""
    return _run(folder, *arguments).decode("utf-8", "surrogateescape")


def text_at(path: Path, commit: str) -> str:
    """The text of a file in a commit. On failure: UsageError, where the commit has no such file."""
    return git(path.parent, "show", f"{commit}:./{path.name}")


def is_true(folder: Path, *arguments: str) -> bool:
    """Whether git answers without an error."""
    with suppress(UsageError):
        _run(folder, *arguments)
        return True
    return False


def is_known(folder: Path, commit: str) -> bool:
    """Whether git knows a commit by that name."""
    return is_true(folder, "rev-parse", "--verify", "--quiet", f"{commit}^{{commit}}")


def check_known(folder: Path, commit: str) -> None:
    """On failure: UsageError with the nearest branch, where git knows no commit by that name."""
    if is_known(folder, commit):
        return
    near = suggestion(commit, git(folder, "for-each-ref", "--format=%(refname:short)").split())
    raise UsageError(
        f"git knows no branch or commit {commit!r}{near and f'; {near}'}",
        help="`git branch -a` lists the branches",
    )


def upstream(folder: Path) -> str | None:
    """The branch that this one is to be merged into, as far as git knows; else None.

    That is its upstream, or else the default branch of `origin`.
    """
    return _first(folder, "@{upstream}", *_REMOTE)


def main_branch(folder: Path) -> str | None:
    """The branch whose revisions count as released; the one of `origin` before a local one."""
    return _first(folder, *_REMOTE, *_LOCAL)


def blobs(folder: Path, names: Iterable[str]) -> Iterator[bytes]:
    """The contents of objects, in the order of their names. On failure: UsageError."""
    asked = "".join(f"{name}\n" for name in names).encode()
    answer = _run(folder, "cat-file", "--batch", sent=asked)
    place = 0
    while place < len(answer):
        end = answer.index(b"\n", place)
        size = int(answer[place:end].rpartition(b" ")[2])
        yield answer[end + 1 : end + 1 + size]
        place = end + size + 2


def _first(folder: Path, *names: str) -> str | None:
    for name in names:
        with suppress(UsageError):
            return git(folder, "rev-parse", "--abbrev-ref", name).strip()
    return None


def _run(folder: Path, *arguments: str, sent: bytes = b"") -> bytes:
    try:
        done = subprocess.run(  # noqa: S603 - only the names of commits and files are not fixed
            ["git", *arguments],  # noqa: S607 - the git of the user
            cwd=folder,
            input=sent,
            capture_output=True,
            check=False,
        )
    except FileNotFoundError:
        raise UsageError("git is asked about the revision files, and is not installed") from None
    if done.returncode:
        message = done.stderr.decode("utf-8", "replace").strip()
        raise UsageError(f"git {arguments[0]}: {message}")
    return done.stdout
