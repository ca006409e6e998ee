"""The branch that mine is to stand behind, and what it has: its lock, its main branch.

During a merge that is the branch that comes in, during a rebase the commit that it is done onto,
otherwise the upstream of this branch or the main one.
"""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from surefoot.branches.renumbering import key
from surefoot.chain.conflict import sides
from surefoot.chain.lockfile import lines_of
from surefoot.chain.revisions import Revision
from surefoot.errors import RevisionReleased, RevisionsBroken, UsageError
from surefoot.git import git, is_known, main_branch, text_at, upstream

# Commits with the chain as one side of a merge or of a rebase has it.
_SIDES = ("HEAD", "MERGE_HEAD", "REBASE_HEAD", "HEAD^1", "HEAD^2", "ORIG_HEAD")


def branch_to_stand_behind(folder: Path) -> str:
    """Its name. On failure: UsageError, where git knows none."""
    branch, main = git(folder, "branch", "--show-current").strip(), main_branch(folder)
    if onto := _onto(folder):
        return onto
    is_main = main is not None and main.rpartition("/")[2] == branch
    if is_main:
        return str(main)
    if is_known(folder, "MERGE_HEAD"):
        return _name(folder, git(folder, "rev-parse", "MERGE_HEAD").strip())
    other = upstream(folder)
    if other is not None and other.rpartition("/")[2] != branch:
        return other
    if main is not None:
        return main
    raise UsageError(
        "git knows no branch that this one is to stand behind",
        help="name it: --upstream origin/main",
    )


def chain_of(lock: Path, commit: str) -> tuple[Revision, ...]:
    """The revisions of the lock in a commit. On failure: UsageError, RevisionsBroken."""
    return lines_of(lock, text_at(lock, commit))


def told_by(lock: Path, commit: str) -> tuple[Revision, ...]:
    """The same; none where the commit has no lock, or one that cannot be read."""
    with suppress(UsageError, RevisionsBroken):
        return chain_of(lock, commit)
    return ()


def refuse_released(lock: Path, revisions: Sequence[Revision]) -> None:
    """On failure: RevisionReleased, where the main branch has one of them."""
    main = main_branch(lock.parent)
    released = {key(each) for each in told_by(lock, main)} if main else ()
    for each in revisions:
        if key(each) in released:
            raise RevisionReleased(each.name, f"{main} has it")


def views(lock: Path) -> list[tuple[Revision, ...]]:
    """The chains as each side has them: of a conflict in the lock, of a merge, of a rebase."""
    found = []
    with suppress(OSError, UnicodeDecodeError):
        for text in dict.fromkeys(sides(lock.read_text("utf-8"))):
            with suppress(RevisionsBroken):
                found.append(lines_of(lock, text))
    found += filter(None, (told_by(lock, commit) for commit in _SIDES))
    return [*dict.fromkeys(found)]


def changed(folder: Path) -> list[str]:
    """The Python files below the folder with changes that no commit has; new ones are none.

    What a merge or a rebase that is going on brings is none either. On failure: UsageError.
    """
    listed = git(folder, "diff", "--name-only", "--relative", "--no-renames", "--diff-filter=a",
                 "-z", "HEAD", "--", ".")  # fmt: skip
    names = {each for each in listed.split("\0") if each.endswith(".py")}
    for commit in ("MERGE_HEAD", "REBASE_HEAD"):
        if is_known(folder, commit):
            differ = git(folder, "diff", "--name-only", "--relative", "-z", commit, "--", ".")
            names &= {*differ.split("\0")}
    return sorted(names)


def next_of_git(folder: Path) -> str:
    """The command of git that goes on from here."""
    if _onto(folder):
        return "git rebase --continue"
    return "git merge --continue" if is_known(folder, "MERGE_HEAD") else "git commit"


def _onto(folder: Path) -> str | None:
    """The commit that a rebase which is going on is done onto; None where none is."""
    for state in ("rebase-merge", "rebase-apply"):
        path = folder / git(folder, "rev-parse", "--git-path", f"{state}/onto").strip()
        with suppress(OSError):
            onto = path.read_text("utf-8").strip()
            return _name(folder, onto)
    return None


def _name(folder: Path, commit: str) -> str:
    """A branch at that commit, where there is one."""
    # Without those that stand for another one, as origin/HEAD.
    name = "--format=%(if)%(symref)%(then)%(else)%(refname:short)%(end)"
    places = "refs/heads", "refs/remotes"
    named = git(folder, "for-each-ref", "--points-at", commit, name, *places).split()
    return named[0] if named else commit[:12]
