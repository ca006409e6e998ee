"""overview() turns a reading into an overview. Pure functions."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from surefoot.ledger.services import intolerant
from surefoot.ledger.table import Row, applied, unfinished
from surefoot.overview.attention import BROKEN_OFF, attention
from surefoot.overview.model import (
    Activity,
    AnnouncedService,
    Headline,
    History,
    HistoryRow,
    IntegrityCheck,
    Link,
    LinkState,
    Overview,
    Reading,
    RunningMigration,
    Unread,
)
from surefoot.startup.check import Build, Verdict

SCHEMA_VERSION = 1
PAGE_ROWS = 20
_DONE = {"upgrade": "applied", "downgrade": "reverted", "stamp": "stamped"}


def overview(
    build: Build,
    reading: Reading,
    read_at: datetime,
    *,
    before: int | None = None,
    command: str = "surefoot",
) -> Overview:
    """The overview of a database for a build.

    Its history shows the ledger's rows before the row `before`, or the newest ones. Its texts name
    the library's command as `command`.
    """
    verdict = reading.verdict
    happening = _happening(reading, verdict, read_at)
    chain = _chain(build, reading, happening)
    pending = tuple(link for link in chain if link.state in ("pending", "running", "failed"))
    services = _services(build, reading, pending)
    checks = (_ledger_check(reading), _schema_check(reading))
    return Overview(
        schema_version=SCHEMA_VERSION,
        database=verdict.database,
        read_at=read_at,
        current=verdict.current,
        expected=verdict.expected,
        headline=_headline(verdict, command),
        attention=attention(reading, pending, services, checks, command=command),
        happening=happening,
        pending=pending,
        history=_history(reading.ledger, before),
        chain=chain,
        services=services,
        facts=checks,
        counts=dict(Counter(link.state for link in chain)),
    )


def _headline(verdict: Verdict, command: str) -> Headline:
    error = verdict.error
    help_ = error.help if error is not None else None
    named = re.search(rf"`((?:alembic|{re.escape(command)}) [^`]*)`", help_ or "")
    return Headline(
        verdict.state, error is None, str(verdict), help_, named[1] if named is not None else None
    )


def _happening(
    reading: Reading, verdict: Verdict, now: datetime
) -> RunningMigration | Unread | None:
    activity = reading.activity
    if not isinstance(activity, Activity):
        return activity
    rows = () if isinstance(reading.ledger, Unread) else reading.ledger
    revision: str | None
    if (begun := unfinished(rows)) is not None:
        revision = begun.revision
    elif _reverts(rows, activity, now):
        revision = None
    else:
        revision = next(iter(verdict.pending), None)
    return RunningMigration(revision, activity.holder, activity.progress, activity.blockers)


def _reverts(rows: Sequence[Row], activity: Activity, now: datetime) -> bool:
    """Whether the running session has reverted a revision: the ledger holds only finished steps."""
    since_s = activity.holder.connected_s
    if not rows or since_s is None:
        return False
    last, began = rows[-1], now - timedelta(seconds=since_s)
    is_its_own = last.started_at is not None and last.started_at >= began
    return is_its_own and last.direction == "downgrade"


def _chain(
    build: Build, reading: Reading, happening: RunningMigration | Unread | None
) -> tuple[Link, ...]:
    verdict = reading.verdict
    rows = () if isinstance(reading.ledger, Unread) else reading.ledger
    in_force = set(applied(rows)) or {r.id for r in build.revisions} - set(verdict.pending)
    last = {row.revision: row for row in rows}
    running = happening.revision if isinstance(happening, RunningMigration) else None

    def state(identifier: str) -> LinkState:
        if verdict.state == "unreachable":
            return "unknown"
        if identifier == running:
            return "running"
        if identifier in in_force:
            return "applied"
        row = last.get(identifier)
        return "failed" if row is not None and row.outcome in BROKEN_OFF else "pending"

    known = [
        Link(
            each.id,
            each.slug.replace("_", " "),
            each.phase,
            state(each.id),
            each.verdict,
            each.requires_code,
        )
        for each in build.revisions
    ]
    ahead = [
        Link(each.id, "", each.phase, "applied", None, each.requires_code, known=False)
        for each in verdict.ahead
    ]
    return (*known, *ahead)


def _history(ledger: tuple[Row, ...] | Unread, before: int | None) -> History | Unread:
    if isinstance(ledger, Unread):
        return ledger
    rows = [row for row in reversed(ledger) if before is None or row.id < before]
    page = rows[:PAGE_ROWS]
    older = page[-1].id if len(rows) > PAGE_ROWS else None
    return History(tuple(map(_history_row, page)), older, len(ledger))


def _history_row(row: Row) -> HistoryRow:
    what = _DONE[row.direction] if row.outcome == "applied" else row.outcome
    return HistoryRow(
        row.id,
        row.revision,
        what,
        row.finished_at,
        row.duration_s,
        _by(row.actor or {}),
        row.build,
        row.attempts,
        row.error,
        row.reason,
    )


def _by(actor: Mapping[str, str]) -> str:
    user, host = actor.get("os_user", "?"), actor.get("host", "?")
    return f"{user}@{host} as {actor.get('database_user', '?')}"


def _services(
    build: Build, reading: Reading, pending: Sequence[Link]
) -> tuple[AnnouncedService, ...] | Unread:
    if isinstance(reading.services, Unread):
        return reading.services
    waiting = {link.id for link in pending if link.phase == "contract"}
    contracts = [revision for revision in build.revisions if revision.id in waiting]
    return tuple(
        AnnouncedService(
            service.application,
            service.revision,
            service.since,
            tuple(
                contract.id
                for contract in contracts
                if intolerant([service], build.revisions, contract)
            ),
        )
        for service in reading.services
    )


def _ledger_check(reading: Reading) -> IntegrityCheck:
    name, broken, ledger = "Ledger", reading.ledger_broken, reading.ledger
    if isinstance(broken, Unread):
        return IntegrityCheck(name, "unknown", broken.unread)
    if broken is not None:
        return IntegrityCheck(name, "no", broken)
    if isinstance(ledger, Unread):
        return IntegrityCheck(name, "unknown", ledger.unread)
    if not ledger:
        return IntegrityCheck(name, "unknown", "the database has no ledger yet")
    return IntegrityCheck(name, "yes", f"all {len(ledger)} rows match their hashes")


def _schema_check(reading: Reading) -> IntegrityCheck:
    name, agreement = "Schema", reading.agreement
    if isinstance(reading.activity, Activity):
        return IntegrityCheck(name, "unknown", "not compared while a migration is running")
    if isinstance(agreement, Unread):
        return IntegrityCheck(name, "unknown", agreement.unread)
    found = agreement.found[:12]
    if agreement.expected is None:
        return IntegrityCheck(
            name, "unknown", "revisions.lock has no fingerprint for this revision"
        )
    if agreement.agrees:
        return IntegrityCheck(name, "yes", f"it matches the revisions (fingerprint {found})")
    return IntegrityCheck(
        name, "no", f"its fingerprint is {found}; the revisions give {agreement.expected[:12]}"
    )
