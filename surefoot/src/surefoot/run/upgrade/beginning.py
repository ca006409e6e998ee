"""begin() lets the run on an empty database begin with the squash, before Alembic plans."""

import time
from collections.abc import Sequence
from typing import Any

import asyncpg

from surefoot.chain.revisions import Revision, ancestors
from surefoot.chain.squashed import NAME, Squash, reached
from surefoot.compat.sqlalchemy import await_only
from surefoot.connect.failures import describe, sqlstate
from surefoot.errors import BeforeSquash, ConnectionLost, LockBlocked, UpgradeFailed
from surefoot.run.events import Warned
from surefoot.run.report import PlannedRevision
from surefoot.run.run import Run
from surefoot.run.upgrade.diagnosis import FAILURES
from surefoot.run.upgrade.retry import CAUSES
from surefoot.run.upgrade.squashed import NOT_EMPTY, applied, is_empty
from surefoot.run.upgrade.stretch import Stretch


def begin(run: Run, revisions: Sequence[Revision], stretch: Stretch) -> bool:
    """Let an empty database begin with the squash; whether it did.

    On failure: SquashEdited, SquashStale; UpgradeFailed and Interrupted, with nothing kept;
    LockBlocked, where another session has what it makes; ConnectionLost, with all or nothing.
    """
    recorder, connection = run.recorder, run.connection
    if run.command != "upgrade" or recorder.before:
        return False
    squash, is_wanted = Squash.read(run.project.squashed), run.may_squash and run.together
    if squash is None or squash.revision not in reached(revisions, run.destination):
        return False
    if not (is_wanted or squash.from_database):
        return False
    below = squash.check(revisions)
    driver: Any = connection.connection.driver_connection
    began_s = time.monotonic()
    try:
        refusal = await_only(
            applied(
                driver,
                squash,
                below,
                run.project.version_table,
                build=run.limits.build,
                reason=run.reason,
            )
        )
    except asyncpg.SyntaxOrAccessError as error:
        # An object is there already, or elsewhere than where it was made: nothing is kept.
        refusal = f"it does not fit the database: {describe(error)}"
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
        run.interruption.check()
        if driver.is_closed():
            # asyncpg could not end the transaction any more, and says so instead of the reason.
            why = f"{NAME}: {describe(error.__context__ or error)}"
            raise ConnectionLost(squash.revision, why, (), run.resume, "all or nothing") from error
        if (cause := CAUSES.get(sqlstate(error))) is not None:
            raise LockBlocked(squash.revision, (), 1, (), cause=cause) from error
        why = f"{NAME}: {describe(error)}"
        failed = FAILURES.get(sqlstate(error) or "", UpgradeFailed)
        raise failed(squash.revision, why, (), run.resume) from error
    if refusal is not None:
        if refusal != NOT_EMPTY and squash.from_database:
            # The revisions would fail for the want of its tables.
            raise UpgradeFailed(squash.revision, f"{NAME} is not used: {refusal}", (), run.resume)
        if refusal != NOT_EMPTY:
            recorder.listen(Warned("squash-unused", f"{NAME} is not used: {refusal}"))
        return False
    took_s, without_rows = time.monotonic() - began_s, squash.from_database
    recorder.squash([each.id for each in below], took_s, without_rows=without_rows)
    # From here on others may know the tables.
    stretch.committed(recorder)
    return True


def refuse_without_tables(
    run: Run, revisions: Sequence[Revision], plan: Sequence[PlannedRevision]
) -> None:
    """Refuse to run on an empty database what builds on the tables of a squash from a database.

    On failure: BeforeSquash; SquashStale, SquashEdited.
    """
    if run.command != "upgrade" or run.recorder.before:
        return
    squash = Squash.taken(run.project.squashed)
    if squash is None:
        return
    below = ancestors(revisions, [squash.revision])
    first = next((each.revision for each in plan if each.revision in below or not below), None)
    driver: Any = run.connection.connection.driver_connection
    if first is not None and await_only(is_empty(driver, run.project.version_table)):
        squash.check(revisions)
        raise BeforeSquash(NAME, squash.revision, first)
