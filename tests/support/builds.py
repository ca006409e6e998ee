"""Another build of the project: a copy of it, with revisions of its own, whose commands are run.

with build(tmp_path / "newer") as newer:
    newer.add("op.execute('CREATE TABLE t (id int)')")
    with served_by(newer.forks, DATABASE_URL=url): ...
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path

from harness.forks import Forks, Result
from tests.support.project import ROOT, ProjectChain, forks_of


class Build(ProjectChain):
    """A chain with the code beside it."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, of_project=True)
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / "app", folder / "app", ignore=ignored)

    @cached_property
    def forks(self) -> Forks:
        """Starts its commands."""
        return forks_of(self.folder)

    def run(self, program: str, *arguments: str, **environment: str) -> Result:
        """One of its commands, to its end."""
        return self.forks.start(program, *arguments, env=environment).wait()


@contextmanager
def build(folder: Path) -> Iterator[Build]:
    """A build whose processes end with the block."""
    made = Build(folder)
    try:
        yield made
    finally:
        if "forks" in made.__dict__:
            made.forks.close()
