"""diagnose() turns the exception that stopped a run into an error of the library."""

import os
import traceback
from collections.abc import Collection, Sequence
from contextlib import suppress
from pathlib import Path

from alembic.util.exc import CommandError

from surefoot.connect.failures import (
    DISK_FULL,
    NOT_SUPPORTED,
    PERMISSION_MISSING,
    SCHEMA_MISSING,
    UNDEFINED_COLUMN,
    UNDEFINED_FUNCTION,
    UNDEFINED_OBJECT,
    UNDEFINED_TABLE,
    describe,
    has_dependents,
    hint_of,
    is_lost,
    sqlstate,
)
from surefoot.errors import (
    ConnectionLost,
    DiskFull,
    DuplicateRows,
    IdleForTooLong,
    Interrupted,
    ObjectMissing,
    ObjectsDepend,
    Refused,
    RefusedPartWay,
    StepNotPermitted,
    StepNotSupported,
    SurefootError,
    UpgradeFailed,
)
from surefoot.ledger.table import NOTHING
from surefoot.run.run import Run

# Causes other than a mistake in the revision, by SQLSTATE.
FAILURES = {
    DISK_FULL: DiskFull,
    NOT_SUPPORTED: StepNotSupported,
    PERMISSION_MISSING: StepNotPermitted,
}
_MISSING = (SCHEMA_MISSING, UNDEFINED_TABLE, UNDEFINED_COLUMN, UNDEFINED_OBJECT)


def diagnose(
    error: Exception, run: Run, kept: str, together: Sequence[str] = ()
) -> SurefootError | None:
    """The error that names the revision, the place in its file and what was applied.

    None where no revision was running. `kept` says which part of the revision is kept, `together`
    of which revisions the statements were that were sent together, where one of them failed.
    """
    applied = [step.revision for step in run.recorder.steps]
    if isinstance(error, Interrupted):
        return Interrupted(error.by, applied, run.same_command)
    running = run.recorder.running
    if isinstance(error, Refused) and (applied or (running and kept != NOTHING)):
        return RefusedPartWay(running.revision if running else "the next one", error, applied, kept)
    if running is None:
        return None
    if isinstance(error, DuplicateRows):
        return DuplicateRows(error.index, error.count, run.same_command)
    if isinstance(error, SurefootError):
        return error
    reason, state = reason_of(error, run.project.locations), sqlstate(error)
    if set(together) - {running.revision}:
        # A session that is gone may have gone before they were sent.
        words = "and statements of {} had no answer" if is_lost(error) else "in a statement of {}"
        reason = f"{reason}, {words.format(among(together))}"
    failed: type[ConnectionLost | UpgradeFailed] = FAILURES.get(state or "", UpgradeFailed)
    if state in _MISSING and _is_past(running.revision, run):
        failed = ObjectMissing
    elif has_dependents(error):
        failed = ObjectsDepend
    elif is_lost(error):
        # The server's reason is often lost with the connection.
        limit_s, silent_s = run.limits.idle_in_transaction_timeout_s, run.observer.silent_s
        failed = IdleForTooLong if 0 < limit_s <= silent_s else ConnectionLost
    if failed is UpgradeFailed:
        hint = hint_of(error)
        if state in (UNDEFINED_OBJECT, UNDEFINED_FUNCTION):
            from surefoot.catalog import extensions  # noqa: PLC0415 - a run that works does without

            hint = extensions.hint(describe(error)) or hint
        return UpgradeFailed(running.revision, reason, applied, run.resume, kept, hint)
    return failed(running.revision, reason, applied, run.resume, kept)


def _is_past(revision: str, run: Run) -> bool:
    """Whether a revision is of the past of the project; not where its files cannot be read."""
    with suppress(SurefootError):
        return any(each.past for each in run.project.revisions() if each.id == revision)
    return False


def among(revisions: Sequence[str]) -> str:
    """The first and the last of revisions, for one of which an error is."""
    first, last = revisions[0], revisions[-1]
    return first if first == last else f"{first} to {last}"


def reason_of(error: Exception, folders: Collection[Path]) -> str:
    """The exception in words, behind the place in the revision that it came through."""
    reason, state = describe(error), sqlstate(error)
    if state is not None:
        reason = f"{reason} (SQLSTATE {state})"
    elif not isinstance(error, CommandError):
        reason = f"{type(error).__name__}: {reason}"
    place = place_of(error, folders)
    return f"{place}: {reason}" if place else reason


def place_of(error: BaseException, folders: Collection[Path]) -> str | None:
    """The last line of a revision file that the error came through."""
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        path = Path(frame.filename)
        if any(folder.resolve() in path.parents for folder in folders):
            return f"{os.path.relpath(path)}:{frame.lineno}"
    return None
