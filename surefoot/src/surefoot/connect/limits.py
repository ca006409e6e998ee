"""Limits holds the bounds of a run, and the settings of its guards."""

from dataclasses import dataclass
from typing import Literal

from surefoot.connect.throttle import Throttle
from surefoot.errors.disclosure import keep_secrets_of


@dataclass(frozen=True)
class Limits:
    """The bounds of a run in seconds, and the settings of its guards; `docs/limits.md` has reasons.

    Example:
        limits = Limits(lock_timeout_s=0.5, lock_budget_s=120, production=True)
        database = Database(url, limits=limits)
    """

    # For another run to end.
    mutex_wait_s: float = 300.0
    # For all waits of one attempt that readers or writers may queue behind: their longest stall.
    lock_timeout_s: float = 0.2
    # For a lock that neither queues behind: index builds, validations.
    patient_lock_timeout_s: float = 600.0
    # For a plan, a copy of a schema: reading makes no reader or writer wait.
    read_wait_s: float = 5.0
    # For all pauses between the attempts at one revision or step together.
    lock_budget_s: float = 600.0
    # For services to end whose code a contract revision breaks; 0 refuses at once.
    services_wait_s: float = 0.0
    # For a statement to run; 0 is no limit.
    statement_timeout_s: float = 0.0
    # For a client to be silent in a transaction: it is stopped, cut off or busy; 0 is no limit.
    idle_in_transaction_timeout_s: float = 60.0
    # The least pause before the second attempt; it doubles with each.
    retry_first_s: float = 0.2
    # The longest pause between two attempts.
    retry_longest_s: float = 30.0
    # A statement or a wait that takes this long is told to the listener.
    warn_after_s: float = 2.0
    # The guards of data, of running services and of lint findings refuse.
    production: bool = False
    # A command that runs in production before a run with a reason, which may lose data.
    backup_command: str | None = None
    # Who does without that backup, and why.
    backup_waived: str | None = None
    # The answer in production to a revision that breaks rules of level error.
    lint: Literal["off", "warn", "error"] = "error"
    # The version of the application, for the ledger.
    build: str = ""
    # The load that a backfill gives way to.
    throttle: Throttle = Throttle()

    def __post_init__(self) -> None:
        keep_secrets_of(self.backup_command)
