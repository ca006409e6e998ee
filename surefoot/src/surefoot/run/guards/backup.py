"""The backup hook: the operator's command, run before the first revision that drops data."""

from __future__ import annotations

import asyncio
import shlex
from dataclasses import dataclass

from surefoot.errors import BackupFailed

KEPT_CHARACTERS = 4000


@dataclass(frozen=True)
class Backup:
    """The command, its exit code and the end of its output."""

    command: str
    exit_code: int
    output: str


async def run(command: str) -> Backup:
    """Run the command to its end. On failure: BackupFailed; nothing was changed yet."""
    try:
        process = await asyncio.create_subprocess_exec(
            *shlex.split(command),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
    except OSError as error:
        raise BackupFailed(command, 127, str(error)) from None
    output, _ = await process.communicate()
    text = output.decode(errors="replace")[-KEPT_CHARACTERS:]
    if process.returncode != 0:
        raise BackupFailed(command, process.returncode or 0, text)
    return Backup(command, 0, text)
