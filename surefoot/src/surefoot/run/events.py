"""Event is one thing that happens in a run. Events carry data; narration.py gives them words.

The core calls `listen(event)`; the command line, the log of a service and tests decide what
becomes of it.
"""

from collections.abc import Callable

from surefoot.errors.temporary import Cause
from surefoot.frozen import dataclass
from surefoot.run.report import AppliedRevision, PlannedRevision, Report
from surefoot.run.sessions import Blocker, MutexHolder, StatementProgress


@dataclass(frozen=True)
class Started:
    """The run knows what it is going to do: one revision or more."""

    database: str
    before: tuple[str, ...]
    plan: tuple[PlannedRevision, ...]


@dataclass(frozen=True)
class RevisionStarted:
    """A revision begins, at each attempt, as number `number` of `total`."""

    revision: PlannedRevision
    number: int
    total: int


@dataclass(frozen=True)
class RevisionDone:
    """A revision is committed, as number `number` of `total`."""

    revision: AppliedRevision
    number: int
    total: int


@dataclass(frozen=True)
class Squashed:
    """An empty database has begun with the squash of so many revisions, up to `revision`."""

    database: str
    revision: str
    count: int
    duration_s: float
    # Whether it has the schema of a database alone.
    without_rows: bool = False


@dataclass(frozen=True)
class Finished:
    """The run reached its end. `heads` are the newest revisions of this build.

    `back` is what the opposite command takes to lead back, where there is one such revision.
    """

    report: Report
    heads: frozenset[str]
    back: str | None = None


@dataclass(frozen=True)
class AheadAccepted:
    """A newer build migrated the database, and this build can work with the result."""

    database: str
    found: tuple[str, ...]
    expected: tuple[str, ...]


@dataclass(frozen=True)
class Adopted:
    """There was no ledger: it begins where the version table is, with so many revisions."""

    database: str
    found: tuple[str, ...]
    count: int


@dataclass(frozen=True)
class MutexBusy:
    """Another run has the mutex; this one waits."""

    holder: MutexHolder | None
    waited_s: float
    limit_s: float


@dataclass(frozen=True)
class ServicesWaiting:
    """The run waits for services to end; `message` names them."""

    code: str
    message: str


@dataclass(frozen=True)
class StatementWaiting:
    """A statement waits for a lock."""

    running_s: float
    blockers: tuple[Blocker, ...]


@dataclass(frozen=True)
class StatementRunning:
    """A statement takes long without waiting for a lock."""

    running_s: float
    progress: StatementProgress | None


@dataclass(frozen=True)
class StatementSeen:
    """A look at a statement that runs or waits, about once a second, for whoever watches it."""

    # On one line and without its literals.
    sql: str
    running_s: float
    progress: StatementProgress | None
    # Those that it waits for, the oldest transaction first.
    blockers: tuple[Blocker, ...]


@dataclass(frozen=True)
class Blocked:
    """An attempt ended without its lock. `retry_in_s` is None where the budget is used up."""

    unit: str
    blockers: tuple[Blocker, ...]
    # The number of the attempt that ended, from 1.
    attempt: int
    retry_in_s: float | None
    cause: Cause
    # Whether an earlier part of the revision is kept: it runs outside a transaction.
    is_outside_transaction: bool


@dataclass(frozen=True)
class Warned:
    """A guard found something that it would refuse in production, or with other settings."""

    code: str
    message: str


@dataclass(frozen=True)
class BackupStarted:
    """The operator's backup command runs."""

    command: str


@dataclass(frozen=True)
class NotMeasured:
    """Everything is applied, and the fingerprint of the schema could not be recorded."""

    reason: str


Event = (
    Started
    | RevisionStarted
    | RevisionDone
    | Squashed
    | Finished
    | AheadAccepted
    | Adopted
    | MutexBusy
    | ServicesWaiting
    | StatementWaiting
    | StatementRunning
    | StatementSeen
    | Blocked
    | Warned
    | BackupStarted
    | NotMeasured
)
Listen = Callable[[Event], None]


def ignore(_event: Event) -> None:
    """Do nothing with the event."""
