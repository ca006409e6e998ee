"""overview() turns a reading into an overview. Pure functions."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import fields
from datetime import datetime, timedelta
from typing import Any

from surefoot.errors.names import command
from surefoot.ledger.details import Details
from surefoot.ledger.services import intolerant
from surefoot.ledger.table import BROKEN_OFF, Row, applied, steps, unfinished
from surefoot.overview import model
from surefoot.overview.attention import attention
from surefoot.overview.backfills import shown_backfills
from surefoot.overview.model import Activity, Link, Reading, Unread
from surefoot.startup.check import Build, Verdict
from surefoot.wording import counted

SCHEMA_VERSION = 1
PAGE_ROWS = 20
# Of one revision.
RUNS = 5
_DONE = {"upgrade": "applied", "downgrade": "reverted", "stamp": "stamped"}


def overview(
    build: Build,
    reading: Reading,
    read_at: datetime,
    *,
    before: int | None = None,
    command: str = "surefoot",
) -> model.Overview:
    """The overview of a database for a build.

    Its history shows the ledger's rows before the row `before`, or the newest ones. Its texts name
    the library's command as `command`.
    """
    verdict = reading.verdict
    happening = _happening(reading, verdict, read_at)
    chain = _chain(build, reading, happening)
    pending = tuple(link for link in chain if link.state in ("pending", "running", "failed"))
    services = _services(build, reading, pending)
    checks = (
        model.IntegrityCheck("Ledger", *_ledger_check(reading)),
        model.IntegrityCheck("Schema", *_schema_check(reading)),
    )
    return model.Overview(
        schema_version=SCHEMA_VERSION,
        database=verdict.database,
        read_at=read_at,
        current=verdict.current,
        expected=verdict.expected,
        headline=_headline(verdict, command),
        attention=attention(
            reading,
            pending,
            services,
            checks,
            chain=build.revisions,
            command=command,
        ),
        happening=happening,
        backfills=shown_backfills(reading.backfills, command),
        pending=pending,
        history=_history(reading.ledger, before),
        chain=chain,
        services=services,
        facts=checks,
        counts=dict(Counter(link.state for link in chain)),
    )


def _headline(verdict: Verdict, command: str) -> model.Headline:
    error = verdict.error
    help_ = error.help if error is not None else None
    named = re.search(rf"`((?:alembic|{re.escape(command)}) [^`]*)`", help_ or "")
    return model.Headline(
        verdict.state, error is None, str(verdict), help_, named[1] if named is not None else None
    )


def _happening(
    reading: Reading, verdict: Verdict, now: datetime
) -> model.RunningMigration | Unread | None:
    activity = reading.activity
    if not isinstance(activity, Activity):
        return activity
    rows = () if isinstance(reading.ledger, Unread) else reading.ledger
    revision = None if _reverts(rows, activity, now) else next(iter(verdict.pending), None)
    if (begun := unfinished(rows)) is not None:
        revision = begun.revision
    return model.RunningMigration(**vars(activity), revision=revision)


def _reverts(rows: Sequence[Row], activity: Activity, now: datetime) -> bool:
    """Whether the running session has reverted a revision: the ledger holds only finished steps."""
    since_s, last = activity.holder.connected_s, next(reversed(steps(rows)), None)
    if since_s is None or last is None or last.direction != "downgrade":
        return False
    return last.started_at is not None and last.started_at >= now - timedelta(seconds=since_s)


def _chain(
    build: Build, reading: Reading, happening: model.RunningMigration | Unread | None
) -> tuple[Link, ...]:
    verdict = reading.verdict
    rows = () if isinstance(reading.ledger, Unread) else reading.ledger
    ledger, last = applied(rows), {row.revision: row for row in steps(rows)}
    in_force = set(ledger) or {r.id for r in build.revisions} - set(verdict.pending)
    running = happening.revision if isinstance(happening, model.RunningMigration) else None
    runs: dict[str, list[Row]] = {}
    for row in rows:
        if row.outcome != "measured":  # that is of the schema that a run left
            runs.setdefault(row.revision, []).append(row)

    def told(identifier: str) -> tuple[model.HistoryRow, ...]:
        return tuple(map(_history_row, runs.get(identifier, [])[: -RUNS - 1 : -1]))

    def state(identifier: str) -> model.LinkState:
        if verdict.state in ("unreachable", "unreadable"):
            return "unknown"
        if identifier == running:
            return "running"
        if identifier in in_force:
            return "applied"
        row = last.get(identifier)
        return "failed" if row is not None and row.outcome in BROKEN_OFF else "pending"

    def done(identifier: str) -> dict[str, Any]:
        if (row := ledger.get(identifier)) is None:
            broken = last.get(identifier)
            row = broken if broken is not None and broken.outcome in BROKEN_OFF else None
        return {} if row is None else _done(row)

    known = [
        Link(
            each.id,
            each.words,
            each.phase,
            state(each.id),
            each.verdict,
            each.requires_code,
            **done(each.id),
            runs=told(each.id),
        )
        for each in build.revisions
    ]
    ahead = [
        Link(
            each.id,
            "",
            each.phase,
            "applied",
            None,
            each.requires_code,
            known=False,
            runs=told(each.id),
            **done(each.id),
        )
        for each in verdict.ahead
    ]
    return (*known, *ahead)


def _done(row: Row) -> dict[str, Any]:
    """The last step of a revision; nothing ran where it was stamped or adopted."""
    ran_s = None if row.direction == "stamp" or row.outcome == "adopted" else row.duration_s
    return {"finished_at": row.finished_at, "duration_s": ran_s, "by": row.person}


def _history(ledger: tuple[Row, ...] | Unread, before: int | None) -> model.History | Unread:
    if isinstance(ledger, Unread):
        return ledger
    rows = [row for row in reversed(ledger) if before is None or row.id < before]
    page = rows[:PAGE_ROWS]
    older = page[-1].id if len(rows) > PAGE_ROWS else None
    return model.History(tuple(map(_history_row, page)), older, len(ledger))


def _history_row(row: Row) -> model.HistoryRow:
    what = _DONE[row.direction] if row.outcome == "applied" else row.outcome
    role = (row.actor or {}).get("database_user", "?")
    same = {
        f.name: getattr(row, f.name)
        for f in fields(model.HistoryRow)
        if f.name not in ("what", "by", "details")
    }
    details = Details.of(row.details)
    return model.HistoryRow(**same, what=what, by=f"{row.person} as {role}", details=details)


def _services(
    build: Build, reading: Reading, pending: Sequence[Link]
) -> tuple[model.AnnouncedService, ...] | Unread:
    if isinstance(reading.services, Unread):
        return reading.services
    waiting = {link.id for link in pending if link.phase == "contract"}
    contracts = [revision for revision in build.revisions if revision.id in waiting]
    return tuple(
        model.AnnouncedService(
            service.application,
            service.revision,
            service.since,
            tuple(c.id for c in contracts if intolerant([service], build.revisions, c)),
        )
        for service in reading.services
    )


def _ledger_check(reading: Reading) -> tuple[model.Holds, str]:
    broken, ledger = reading.ledger_broken, reading.ledger
    if isinstance(broken, Unread):
        return "unknown", broken.unread
    if broken is not None:
        return "no", broken
    if isinstance(ledger, Unread):
        return "unknown", ledger.unread
    if not ledger:
        return "unknown", "the database has no ledger yet"
    return "yes", f"{counted(len(ledger), 'row', 'matches/match')} the hashes"


def _schema_check(reading: Reading) -> tuple[model.Holds, str]:
    agreement = reading.agreement
    if isinstance(reading.activity, Activity):
        return "unknown", "not compared while a migration is running"
    if isinstance(agreement, Unread):
        return "unknown", agreement.unread
    if reading.verdict.state == "diverged":
        return "unknown", "version table, ledger and files contradict each other"
    found = agreement.found[:12]
    if agreement.expected is None and reading.verdict.ahead:
        return "unknown", "the database has revisions that this build does not know"
    if agreement.expected is None:
        lacks = "revisions.lock has no comparable fingerprint for this revision"
        return "unknown", f"{lacks}; `{command()} drift` compares all the same"
    if agreement.agrees:
        return "yes", f"it matches the revisions (fingerprint {found})"
    return "no", f"its fingerprint is {found}; the revisions give {agreement.expected[:12]}"
