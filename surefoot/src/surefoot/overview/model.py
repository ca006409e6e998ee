"""The parts of an overview, as plain values: the page and the JSON show the same ones."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Literal

from surefoot.frozen import dataclass
from surefoot.ledger.agreement import Agreement
from surefoot.ledger.details import Details
from surefoot.ledger.services import Service
from surefoot.ledger.table import Row
from surefoot.run.sessions import Blocker, MutexHolder, StatementProgress
from surefoot.startup.backfills import SeenBackfill
from surefoot.startup.check import State, Verdict

Holds = Literal["yes", "no", "unknown"]
LinkState = Literal["applied", "pending", "running", "failed", "unknown"]


@dataclass(frozen=True)
class Unread:
    """The reason why a part could not be read."""

    unread: str


@dataclass(frozen=True)
class Activity:
    """The holder of the mutex, the progress of its statement, and what blocks it."""

    holder: MutexHolder
    progress: StatementProgress | None
    blockers: tuple[Blocker, ...]


@dataclass(frozen=True)
class Reading:
    """Everything that was read from a database."""

    verdict: Verdict
    # Oldest first; empty where there is no ledger.
    ledger: tuple[Row, ...] | Unread
    # The first row that does not match its hash, in words; None where all rows match.
    ledger_broken: str | Unread | None
    activity: Activity | Unread | None
    services: tuple[Service, ...] | Unread
    agreement: Agreement | Unread
    # Those that have begun; empty where the database has no tables for them.
    backfills: Sequence[SeenBackfill] | Unread = ()


@dataclass(frozen=True)
class Headline:
    """The state in one sentence, and the help for it."""

    state: State
    is_ready: bool
    summary: str
    help: str | None
    # The command to run next, where a single one helps.
    command: str | None


@dataclass(frozen=True)
class Notice:
    """A problem that somebody should look at."""

    code: str
    message: str
    help: str | None = None


@dataclass(frozen=True)
class Link:
    """One revision of the chain."""

    id: str
    title: str
    phase: str
    state: LinkState
    # `clean`, or the rules that the revision breaks; None where lint has not run.
    lint: str | None = None
    requires_code: str | None = None
    # False for a revision of the database that this build does not have.
    known: bool = True
    # Of its last row in the ledger: when it ended, how long it ran, who ran it.
    finished_at: datetime | None = None
    duration_s: float | None = None
    by: str | None = None
    # Its last rows in the ledger, newest first.
    runs: tuple[HistoryRow, ...] = ()


@dataclass(frozen=True)
class RunningMigration(Activity):
    """A migration that is running."""

    revision: str | None


@dataclass(frozen=True)
class ShownBackfill(SeenBackfill):
    """A backfill that has begun, and the command that helps next."""

    # None where it is complete.
    command: str | None


@dataclass(frozen=True)
class HistoryRow:
    """One row of the ledger."""

    id: int
    revision: str
    what: str
    finished_at: datetime | None
    duration_s: float
    statements: int
    by: str
    build: str
    attempts: int
    error: str | None
    reason: str | None
    # Of the newest rows.
    details: Details | None


@dataclass(frozen=True)
class History:
    """One page of the ledger, newest row first."""

    rows: tuple[HistoryRow, ...]
    # `before` of the next page: the last row of this one. None on the last page.
    older: int | None
    total: int


@dataclass(frozen=True)
class AnnouncedService:
    """A running service that has announced itself."""

    application: str
    revision: str | None
    since: datetime | None
    # The pending contract revisions that its code is older than. Only their files say which of
    # them tolerate it; revisions.lock does not.
    older_than: tuple[str, ...]


@dataclass(frozen=True)
class IntegrityCheck:
    """One check of the ledger or the schema, and whether it holds."""

    name: str
    holds: Holds
    text: str


@dataclasses.dataclass(frozen=True)  # a project may inspect it, or derive from it
class Overview:
    """A database and its migrations, at one moment."""

    schema_version: int
    database: str
    read_at: datetime
    current: str | None
    expected: str
    headline: Headline
    attention: tuple[Notice, ...]
    happening: RunningMigration | Unread | None
    # The unfinished ones first; empty where none has begun.
    backfills: tuple[ShownBackfill, ...] | Unread
    pending: tuple[Link, ...]
    history: History | Unread
    chain: tuple[Link, ...]
    services: tuple[AnnouncedService, ...] | Unread
    facts: tuple[IntegrityCheck, ...]
    # The number of revisions in each state.
    counts: Mapping[str, int]
