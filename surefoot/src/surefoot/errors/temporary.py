"""A retry is safe: exit code 75."""

from collections.abc import Mapping, Sequence
from typing import Literal

from surefoot.errors import names
from surefoot.errors.base import SurefootError
from surefoot.wording import counted, duration, in_order

# How another session ended an attempt, and how that is said.
Cause = Literal["lock timeout", "deadlock", "conflict"]
MET: Mapping[Cause, str] = {
    "lock timeout": "did not get its lock",
    "deadlock": "met a deadlock",
    "conflict": "could not be serialized beside another transaction",
}


class Temporary(SurefootError):
    """The same command may work in a moment, and a retry is safe."""

    exit_code = 75


class DatabaseUnreachable(Temporary):
    """The database did not answer at its address, or not in time."""

    database: str
    address: str
    reason: str
    # Whether the server has answered that it has no connection left for the role.
    is_full: bool = False
    says = "database {database!r} at {address} cannot be reached: {reason}"
    helps = "{way}"

    @property
    def way(self) -> str:
        """The way to a connection."""
        if self.is_full:
            return (
                "end other sessions, or raise the limit that is met: CONNECTION LIMIT of the role "
                "or of the database, or max_connections of the server"
            )
        return f"is the server up, and are host and port in {names.setting('database')} right?"


class ScratchLost(Temporary):
    """The server of a scratch database has ended the session of a command."""

    address: str
    reason: str
    says = "the scratch server at {address} has ended a session: {reason}"
    helps = (
        "run the same command again: it begins with another scratch database; if a revision ends "
        "the sessions of others, correct it first"
    )


class StatementCancelled(Temporary):
    """A statement outside of a revision was cancelled in the server, by a user or a timeout."""

    database: str
    reason: str
    says = "database {database!r} ended a statement: {reason}"
    helps = "run the same command again: committed work stays, the rest was rolled back"


class MutexHeld(Temporary):
    """Another run holds the migration mutex for longer than this one waits."""

    holder: str
    waited_s: float
    limit_s: float
    says = (
        "{holder} has held the migration mutex for {waited_s!d}; gave up after {limit_s!d}; "
        "nothing was applied"
    )
    helps = "try again when that run is done, or wait longer: {names[mutex_wait_s]}"


class LockBlocked(Temporary):
    """Other sessions ended every attempt at a revision within the budget."""

    revision: str
    blockers: Sequence[str]
    attempts: int
    applied: Sequence[str]
    kept: str = "nothing"
    cause: Cause = "lock timeout"
    command: str = "the same command"
    says = (
        "{revision} {did} in {tries}{blockers!l:by: }\n"
        "done: {applied:nothing}\nkept of {revision}: {kept}"
    )
    helps = "end the session that blocks, then run {command} again"

    @property
    def did(self) -> str:
        """The cause as a predicate."""
        return MET[self.cause]

    @property
    def tries(self) -> str:
        """The number of attempts."""
        return counted(self.attempts, "attempt")


class TableLocked(Temporary):
    """Another session has locked a table, so it cannot be read."""

    def __init__(self, database: str, waited_s: float | None = None) -> None:
        self.database, self.waited_s = database, waited_s
        after = "" if waited_s is None else f" after {duration(waited_s)}"
        super().__init__(
            f"a table of {database!r} is locked by another session; stopped waiting{after}",
            help="run the same command again when that session, an upgrade or DDL by hand, is done",
        )


class ConnectionLost(Temporary):
    """The connection ended in the middle of a revision, which rolled its transaction back."""

    revision: str
    reason: str
    applied: Sequence[str]
    command: str
    kept: str
    says = (
        "the connection was lost in {revision}: {reason}\n"
        "done: {applied:nothing}\nkept of {revision}: {kept}"
    )
    helps = "`{command}` goes on from there"


class IdleForTooLong(ConnectionLost):
    """The server ended a session whose client was silent in a transaction for too long."""

    helps = (
        "`{command}` goes on from there; a revision that works outside of the database for longer "
        "needs a larger {names[idle_in_transaction_timeout_s]}"
    )


class Interrupted(Temporary):
    """A signal or the caller stopped the run."""

    exit_code = 130

    def __init__(
        self,
        by: int | None = None,
        applied: Sequence[str] | None = (),
        command: str = "the same command",
    ) -> None:
        """`by` is the number of a signal; `command` goes on with what is left.

        `applied` is None for a command that only reads, or where all or nothing is kept.
        """
        self.by, self.applied = by, tuple(applied or ())
        self.exit_code = 128 + by if by else 130
        if applied is None:
            super().__init__("interrupted")
            return
        super().__init__(
            f"interrupted; done: {in_order(self.applied)}",
            help=f"{command} goes on from there",
        )
