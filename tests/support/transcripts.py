"""Transcripts in documents: the commands of console blocks, and their output.

    $ alembic current
    0006
    $ python a_program.py \
        --with an-argument
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

TIMEOUT_S = 600
# Values that differ between two runs: durations, numbers of requests, sizes of tables.
_VARIES = (
    # A busy machine takes some hundredths of a second for a moment.
    (r"held ~0\.0\d s( to 0\.\d+ s)?", "held for a moment"),
    (r"(?m)^ +(?:\w+  )?\d+ (?:s|min).* so far: .*\n", ""),
    (r"\d+ min \d+ s\b", "N s"),
    (r"\d+(\.\d+)? s\b", "N s"),
    (r"~N s to N s", "~N s"),
    (r"\d+ answered", "N answered"),
    (r", \d+ writes/s", ""),
    (r"[\d.]+ [kMG]B\b", "N MB"),
)


def blocks(document: Path, language: str) -> list[str]:
    """The fenced blocks of a document in that language."""
    found = re.findall(rf"```{language}\n(.*?)```", document.read_text("utf-8"), re.DOTALL)
    return list(found)


def commands(block: str) -> list[tuple[str, str]]:
    """The commands of a console block, each with its output."""
    parts = re.split(r"^\$ ((?:.*\\\n)*.*)\n", block, flags=re.MULTILINE)[1:]
    return [
        (command.replace("\\\n", ""), output)
        for command, output in zip(parts[::2], parts[1::2], strict=True)
    ]


def printed(command: str, folder: Path, environment: Mapping[str, str]) -> str:
    """The output of a command; programs of this Python's environment come first."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    words = shlex.split(command)
    settings = [word for word in words if re.match(r"[A-Z_]+=", word)]
    program, *arguments = words[len(settings) :]
    given = dict(word.split("=", 1) for word in settings)
    found = shutil.which(program, path=path)
    assert found is not None, program
    done = subprocess.run(
        [found, *arguments],
        cwd=folder,
        # Unbuffered, so that stdout and stderr keep their order.
        env={**os.environ, "PATH": path, "PYTHONUNBUFFERED": "1", **environment, **given},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    return done.stdout


def timeless(text: str) -> str:
    """The text without the values that differ between two runs."""
    for pattern, same in _VARIES:
        text = re.sub(pattern, same, text)
    return text
