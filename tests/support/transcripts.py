"""Transcripts in documents: the commands of console blocks, and their output.

    $ alembic current
    0006
    $ python a_program.py \
        --with an-argument

No shell reads them; `$NAME` is a variable of the environment that the test gives.
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
from string import Template

TIMEOUT_S = 600
# Values that differ between two runs: durations, numbers of requests, sizes of tables.
_VARIES = (
    # A busy machine takes some hundredths of a second for a moment.
    (r"held ~0\.0\d s( to 0\.\d+ s)?", "held for a moment"),
    (r"(?m)^ +(?:\w+  )?[\d.]+ (?:s|min|h).* so far: .*\n", ""),
    (r"\d+ (?:h|min)( \d+ (?:min|s))?\b", "N s"),
    (r"(?:< )?\d+(\.\d+)? s\b", "N s"),
    (r"~N s to N s", "~N s"),
    (r"\d+ answered", "N answered"),
    (r", \d+ writes/s", ""),
    (r"[\d.]+ [kMG]B\b", "N MB"),
    (r"\d{4}-\d\d-\d\d \d\d:\d\d", "DATE TIME"),
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
    path = os.pathsep.join(
        (str(Path(sys.executable).parent), environment.get("PATH", os.environ["PATH"]))
    )
    words = [Template(word).safe_substitute(environment) for word in shlex.split(command)]
    settings = [word for word in words if re.match(r"[A-Z_]+=", word)]
    program, *arguments = words[len(settings) :]
    given = dict(word.split("=", 1) for word in settings)
    found = shutil.which(program, path=path)
    assert found is not None, program
    done = subprocess.run(
        [found, *arguments],
        cwd=folder,
        # Unbuffered, so that stdout and stderr keep their order.
        env={**os.environ, "PYTHONUNBUFFERED": "1", **environment, **given, "PATH": path},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    return done.stdout


def check(
    document: Path, folder: Path, environment: Mapping[str, str], names: Mapping[str, str]
) -> None:
    """Run every command of a document, in order, and compare what it prints with what is shown.

    `names` are words of the document, and what they are called in this test.
    """
    found = [pair for block in blocks(document, "console") for pair in commands(block)]
    assert found
    for command, expected in found:
        here = command
        for name, ours in names.items():
            here = here.replace(name, ours)
        answer = printed(here, folder, environment)
        for name, ours in names.items():
            answer = answer.replace(ours, name)
        assert is_shown(answer, expected), f"{command}\n{answer}"


def is_shown(printed: str, expected: str) -> bool:
    """Whether the output is the one that is shown, where a line `…` stands for any lines."""
    lines = (
        "(?:.*\\n)*" if line == "…\n" else re.escape(line)
        for line in timeless(expected).splitlines(keepends=True)
    )
    return re.fullmatch("".join(lines), timeless(printed)) is not None


def timeless(text: str) -> str:
    """The text without the values that differ between two runs."""
    for pattern, same in _VARIES:
        text = re.sub(pattern, same, text)
    return text
