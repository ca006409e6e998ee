"""Trying again is safe: exit code 75."""

from __future__ import annotations

from collections.abc import Sequence

from surefoot.errors.base import SurefootError
from surefoot.errors.names import setting


class Temporary(SurefootError):
    """The same command may work in a moment, and repeating it is safe."""

    code = "temporary"
    exit_code = 75


class DatabaseUnreachable(Temporary):
    """Nobody answered at the database's address, or not in time."""

    code = "database-unreachable"

    def __init__(self, database: str, address: str, reason: str) -> None:
        self.database, self.address, self.reason = database, address, reason
        super().__init__(
            f"database {database!r} at {address} cannot be reached: {reason}",
            help=f"is the server up, and are host and port in {setting('database')} right?",
        )


class StatementCancelled(Temporary):
    """Somebody cancelled a statement in the server, or its timeout did, outside of a revision."""

    code = "statement-cancelled"

    def __init__(self, database: str, reason: str) -> None:
        self.database, self.reason = database, reason
        super().__init__(
            f"database {database!r} ended a statement: {reason}",
            help="the same command again: what is committed stays, and nothing else does",
        )


class MutexHeld(Temporary):
    """Another run has the migration mutex for longer than we wait."""

    code = "mutex-held"

    def __init__(self, holder: str, waited_s: float, limit_s: float) -> None:
        self.holder, self.waited_s, self.limit_s = holder, waited_s, limit_s
        super().__init__(
            f"{holder} has held the migration mutex for {waited_s:.0f} s; gave up after "
            f"{limit_s:.0f} s; nothing was applied",
            help=f"try again when it is done, or wait longer: {setting('mutex_wait_s')}",
        )


class LockBlocked(Temporary):
    """A revision did not get its lock within the budget."""

    code = "lock-blocked"

    def __init__(
        self,
        revision: str,
        blockers: Sequence[str],
        attempts: int,
        applied: Sequence[str],
        kept: str = "nothing",
    ) -> None:
        self.revision, self.blockers, self.attempts = revision, tuple(blockers), attempts
        self.applied, self.kept = tuple(applied), kept
        lines = [
            f"{revision} did not get its lock in {attempts} attempts",
            *(f"by: {blocker}" for blocker in self.blockers),
            f"done: {', '.join(self.applied) or 'nothing'}",
            f"kept of {revision}: {kept}",
        ]
        super().__init__(
            "\n".join(lines), help="end the session that blocks, then the same command again"
        )


class TableLocked(Temporary):
    """Somebody holds a table so that it cannot be looked at."""

    code = "table-locked"

    def __init__(self, database: str, waited_s: float) -> None:
        self.database, self.waited_s = database, waited_s
        super().__init__(
            f"a table of {database!r} is locked by another session; stopped waiting after "
            f"{waited_s:g} s",
            help="the same command again when that is done: an upgrade, or DDL by hand",
        )


class ConnectionLost(Temporary):
    """The connection ended in the middle of a revision, and its transaction with it."""

    code = "connection-lost"

    def __init__(
        self, revision: str, reason: str, applied: Sequence[str], command: str, kept: str
    ) -> None:
        self.revision, self.reason, self.applied, self.kept = revision, reason, tuple(applied), kept
        super().__init__(
            f"the connection was lost in {revision}: {reason}\n"
            f"done: {', '.join(self.applied) or 'nothing'}\nkept of {revision}: {kept}",
            help=f"`{command}` goes on from there",
        )


class Interrupted(Temporary):
    """Somebody asked the run to stop."""

    code = "interrupted"

    def __init__(self, by: int | None = None, applied: Sequence[str] | None = ()) -> None:
        """`applied` is None for a command that only looked."""
        self.by, self.applied = by, tuple(applied or ())
        self.exit_code = 128 + by if by else 130  # type: ignore[misc]  # by the signal, not the class
        if applied is None:
            super().__init__("interrupted")
            return
        super().__init__(
            f"interrupted; done: {', '.join(self.applied) or 'nothing'}",
            help="the same command goes on from there",
        )
