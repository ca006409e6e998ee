"""The README's transcript is what the commands print."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

from tests.support.databases import Database

ROOT = Path(__file__).resolve().parents[2]


def transcript() -> list[tuple[str, str]]:
    """The commands of the README's first console block, and what follows each."""
    block = re.search(r"```console\n(.*?)```", (ROOT / "README.md").read_text("utf-8"), re.DOTALL)
    assert block
    parts = re.split(r"^\$ (.*)\n", block[1], flags=re.MULTILINE)[1:]
    return list(zip(parts[::2], parts[1::2], strict=True))


def timeless(text: str) -> str:
    return re.sub(r"\d+(\.\d+)? s\b", "N s", text)


def test_the_transcript_is_true(empty_database: Database) -> None:
    """Every command of it, in order, on an empty database, prints what it says."""
    commands = transcript()
    assert len(commands) >= 5
    environment = {**os.environ, "DATABASE_URL": empty_database.url}
    for command, expected in commands:
        words = shlex.split(command)
        settings = [word for word in words if re.match(r"[A-Z_]+=", word)]
        program, *arguments = words[len(settings) :]
        done = subprocess.run(
            [str(Path(sys.executable).with_name(program)), *arguments],
            cwd=ROOT,
            env={**environment, **dict(word.split("=", 1) for word in settings)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=60,
            check=False,
        )
        found = done.stdout.replace(empty_database.name, "vegafs_dev")
        assert timeless(found) == timeless(expected), command
