"""What follows when `alembic revision` has written a file: formatting, and revisions.lock."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from alembic.script import write_hooks

from surefoot.chain.lockfile import read_lock, with_known, write_lock
from surefoot.chain.revisions import read_revisions
from surefoot.environment.commandline import say

NAME = "surefoot"


Review = Callable[[Path], None]


def register(review: Review | None = None) -> None:
    """Make the hook known under the name that alembic.ini calls.

    `review` is shown the folder of the revisions once a new one is in revisions.lock.
    """

    def hook(path: str, options: object) -> None:
        finish(path, review)

    write_hooks.register(NAME)(hook)


def finish(path: str, review: Review | None) -> None:
    """Format a new revision file where ruff is installed, and add it to revisions.lock."""
    written = Path(path)
    if importlib.util.find_spec("ruff") is not None:
        # Formatted first: it would complain of lines that are only long so far.
        for arguments in (["format", "--quiet"], ["check", "--quiet", "--fix", "--exit-zero"]):
            subprocess.run(  # noqa: S603 - our own interpreter, a file of ours
                [sys.executable, "-m", "ruff", *arguments, str(written)], check=False
            )
    lock = written.parent.parent / "revisions.lock"
    locked = read_lock(lock) if lock.exists() else ()
    write_lock(lock, with_known(read_revisions(written.parent), locked))
    if review is not None:
        review(written.parent)
    say(f"OK  {written.name} written, {lock.name} refreshed. Review, then: alembic upgrade head")
