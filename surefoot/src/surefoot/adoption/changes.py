"""Change is a file that adopts a project: shown first, and written as a whole or not at all."""

from __future__ import annotations

import difflib
import os
from codecs import BOM_UTF8
from collections.abc import Sequence
from pathlib import Path

from surefoot.adoption.candidate import Candidate
from surefoot.chain.lockfile import lock_text
from surefoot.chain.revisions import Revision
from surefoot.chain.whole_file import write_whole
from surefoot.errors import FileNotWritable
from surefoot.errors.names import command
from surefoot.frozen import dataclass

CI_NAME = "surefoot-ci.yml"
_CI = """\
# Steps for a job that has the project and surefoot[embedded,lint] installed, written by
# `{command} adopt`. Copy them to where your CI reads its jobs, and delete this file.
- name: revisions.lock lists the revision files as they are
  run: {command} lock --check
- name: No new revision would hurt a database in use; the baseline is left alone
  run: {command} lint
"""


@dataclass(frozen=True)
class Change:
    """The text of a file before, None for a new one, and afterwards."""

    path: Path
    before: str | None
    after: str

    @property
    def diff(self) -> str:
        """The change as `patch` takes it."""
        name, before = os.path.relpath(self.path), self.before or ""
        made = difflib.unified_diff(
            before.splitlines(keepends=True),
            self.after.splitlines(keepends=True),
            f"a/{name}" if self.before is not None else "/dev/null",
            f"b/{name}",
        )
        return "".join(line if line.endswith("\n") else f"{line}\n" for line in made)

    def write(self) -> None:
        """Replace the file in one step. On failure: FileNotWritable, and it is as it was."""
        path, mark, ends = self.path.resolve(), b"", b""
        try:
            if path.exists():
                found = path.read_bytes()
                mark = BOM_UTF8 if found.startswith(BOM_UTF8) else b""
                ends = b"\r" if b"\r\n" in found else b""
                if found.decode("utf-8-sig").replace("\r\n", "\n") == self.after:
                    return  # somebody else has adopted the project at the same moment
                if found.decode("utf-8-sig").replace("\r\n", "\n") != self.before:
                    raise FileNotWritable(str(path), "it was changed meanwhile; run this again")
            write_whole(path, mark + self.after.encode().replace(b"\n", ends + b"\n"))
        except OSError as error:
            raise FileNotWritable(str(path), error.strerror or str(error)) from None


def changes(candidate: Candidate, env_text: str, past: Sequence[Revision]) -> Sequence[Change]:
    """The files that are missing or differ; env.py, after which the project is adopted, last."""
    env, project = candidate.env, candidate.project
    found: list[Change] = []
    if not project.lock.exists():
        found.append(Change(project.lock, None, lock_text(past)))
    if candidate.ini.added:
        found.append(Change(project.ini, candidate.ini.text, candidate.ini.new_text))
    ci = project.ini.parent / CI_NAME
    if not env.is_adopted and not ci.exists():
        found.append(Change(ci, None, _CI.format(command=command())))
    if not env.is_adopted:
        found.append(Change(env.path, env.text, env_text))
    return found
