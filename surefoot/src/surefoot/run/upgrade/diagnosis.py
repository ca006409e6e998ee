"""diagnose() turns the exception that stopped a run into an error of the library."""

from __future__ import annotations

import os
import traceback
from pathlib import Path

from alembic.util.exc import CommandError

from surefoot.connect.failures import DISK_FULL, PERMISSION_MISSING, describe, is_lost, sqlstate
from surefoot.errors import (
    ConnectionLost,
    DiskFull,
    Interrupted,
    StepNotPermitted,
    SurefootError,
    UpgradeFailed,
)
from surefoot.run.recorder import Recorder

# Causes other than a mistake in the revision, by SQLSTATE.
FAILURES = {DISK_FULL: DiskFull, PERMISSION_MISSING: StepNotPermitted}


def diagnose(
    error: Exception, recorder: Recorder, versions: Path, command: str, kept: str
) -> SurefootError | None:
    """The error that names the revision, the place in its file and what was applied.

    None where no revision was running. `command` continues from there; `kept` says which part of
    the revision is kept.
    """
    applied = [step.revision for step in recorder.steps]
    if isinstance(error, Interrupted):
        return Interrupted(error.by, applied)
    running = recorder.running
    if running is None:
        return None
    if isinstance(error, SurefootError):
        return error
    reason = describe(error)
    state = sqlstate(error)
    if state is not None:
        reason = f"{reason} (SQLSTATE {state})"
    elif not isinstance(error, CommandError):
        reason = f"{type(error).__name__}: {reason}"
    place = place_of(error, versions)
    if place:
        reason = f"{place}: {reason}"
    if is_lost(error):
        return ConnectionLost(running.revision, reason, applied, command, kept)
    failed = FAILURES.get(state or "", UpgradeFailed)
    return failed(running.revision, reason, applied, command, kept)


def place_of(error: BaseException, versions: Path) -> str | None:
    """The last line of a revision file that the error came through."""
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        path = Path(frame.filename)
        if path.parent == versions.resolve():
            return f"{os.path.relpath(path)}:{frame.lineno}"
    return None
