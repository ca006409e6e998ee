"""What an overview is made of. Plain values: a page and JSON show the same."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from surefoot.ledger.agreement import Agreement
from surefoot.ledger.services import Service
from surefoot.ledger.table import Row
from surefoot.run.locks.blockers import Blocker
from surefoot.run.locks.mutex import Holder
from surefoot.run.locks.progress import Progress
from surefoot.startup.check import State, Verdict

LinkState = Literal["applied", "pending", "running", "failed", "unknown"]


@dataclass(frozen=True)
class Unread:
    """A part that could not be read, and why."""

    unread: str


@dataclass(frozen=True)
class Activity:
    """Who holds the mutex, how far its statement is, and what stands in its way."""

    holder: Holder
    progress: Progress | None
    blockers: tuple[Blocker, ...]


@dataclass(frozen=True)
class Reading:
    """What was read of a database."""

    verdict: Verdict
    # Oldest first; none where there is no ledger.
    ledger: tuple[Row, ...] | Unread
    # The first row that does not fit its hash, in words; None where all do.
    ledger_broken: str | Unread | None
    activity: Activity | Unread | None
    services: tuple[Service, ...] | Unread
    agreement: Agreement | Unread


@dataclass(frozen=True)
class Headline:
    """The state in one sentence, and what helps."""

    state: State
    is_ready: bool
    summary: str
    help: str | None
    # What to type next, where there is one thing.
    command: str | None


@dataclass(frozen=True)
class Notice:
    """Something that somebody should look at."""

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
    # clean, or the rules that lint found broken; None where it has not looked.
    lint: str | None = None
    requires_code: str | None = None
    # False where the database has it and this build does not.
    known: bool = True


@dataclass(frozen=True)
class Happening:
    """A migration at work."""

    revision: str | None
    holder: Holder
    progress: Progress | None
    blockers: tuple[Blocker, ...]


@dataclass(frozen=True)
class Done:
    """One row of the ledger."""

    id: int
    revision: str
    what: str
    finished_at: datetime | None
    duration_s: float
    by: str
    build: str
    attempts: int
    error: str | None
    reason: str | None


@dataclass(frozen=True)
class History:
    """What was done, newest first: one page of it."""

    rows: tuple[Done, ...]
    # The row that the next page begins before; None on the last one.
    older: int | None
    total: int


@dataclass(frozen=True)
class Living:
    """A service that has announced itself."""

    application: str
    revision: str | None
    since: datetime | None
    # The pending contract revisions that its code is older than. Which of them tolerate it says
    # their files alone; revisions.lock does not.
    older_than: tuple[str, ...]


@dataclass(frozen=True)
class Fact:
    """One thing that is proven or not: `yes`, `no`, `unknown`."""

    name: str
    holds: Literal["yes", "no", "unknown"]
    text: str


@dataclass(frozen=True)
class Overview:
    """A database and its migrations, at one moment."""

    schema_version: int
    database: str
    read_at: datetime
    current: str | None
    expected: str
    headline: Headline
    attention: tuple[Notice, ...]
    happening: Happening | Unread | None
    pending: tuple[Link, ...]
    history: History | Unread
    chain: tuple[Link, ...]
    services: tuple[Living, ...] | Unread
    facts: tuple[Fact, ...]
    # How many links of the chain are in each state.
    counts: Mapping[str, int]
