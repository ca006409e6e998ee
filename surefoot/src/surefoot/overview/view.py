"""overview() makes of what was read what is shown. Pure functions."""

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
    Done,
    Fact,
    Happening,
    Headline,
    History,
    Link,
    LinkState,
    Living,
    Overview,
    Reading,
    Unread,
)
from surefoot.startup.check import Build, Verdict

SCHEMA_VERSION = 1
PAGE_ROWS = 20
_DONE = {"upgrade": "applied", "downgrade": "reverted", "stamp": "stamped"}
_COMMAND = re.compile(r"`((?:alembic|vegafs) [^`]*)`")


def overview(
    build: Build, reading: Reading, read_at: datetime, *, before: int | None = None
) -> Overview:
    """The overview; `before` is the row of the ledger that its page of history ends at."""
    verdict = reading.verdict
    happening = _happening(reading, verdict, read_at)
    chain = _chain(build, reading, happening)
    pending = tuple(link for link in chain if link.state in ("pending", "running", "failed"))
    services = _services(build, reading, pending)
    facts = (_ledger_fact(reading), _schema_fact(reading))
    return Overview(
        schema_version=SCHEMA_VERSION,
        database=verdict.database,
        read_at=read_at,
        current=verdict.current,
        expected=verdict.expected,
        headline=_headline(verdict),
        attention=attention(reading, pending, services, facts),
        happening=happening,
        pending=pending,
        history=_history(reading.ledger, before),
        chain=chain,
        services=services,
        facts=facts,
        counts=Counter(link.state for link in chain),
    )


def _headline(verdict: Verdict) -> Headline:
    error = verdict.error
    help_ = error.help if error is not None else None
    named = _COMMAND.search(help_ or "")
    return Headline(
        verdict.state, error is None, str(verdict), help_, named[1] if named is not None else None
    )


def _happening(reading: Reading, verdict: Verdict, now: datetime) -> Happening | Unread | None:
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
    return Happening(revision, activity.holder, activity.progress, activity.blockers)


def _reverts(rows: Sequence[Row], activity: Activity, now: datetime) -> bool:
    """Whether who is at work has reverted something: a row tells only what is done."""
    since_s = activity.holder.connected_s
    if not rows or since_s is None:
        return False
    last, began = rows[-1], now - timedelta(seconds=since_s)
    is_its_own = last.started_at is not None and last.started_at >= began
    return is_its_own and last.direction == "downgrade"


def _chain(
    build: Build, reading: Reading, happening: Happening | Unread | None
) -> tuple[Link, ...]:
    verdict = reading.verdict
    rows = () if isinstance(reading.ledger, Unread) else reading.ledger
    in_force = set(applied(rows)) or {r.id for r in build.revisions} - set(verdict.pending)
    last = {row.revision: row for row in rows}
    running = happening.revision if isinstance(happening, Happening) else None

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
    return History(tuple(map(_done, page)), older, len(ledger))


def _done(row: Row) -> Done:
    what = _DONE[row.direction] if row.outcome == "applied" else row.outcome
    return Done(
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
) -> tuple[Living, ...] | Unread:
    if isinstance(reading.services, Unread):
        return reading.services
    waiting = {link.id for link in pending if link.phase == "contract"}
    contracts = [revision for revision in build.revisions if revision.id in waiting]
    return tuple(
        Living(
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


def _ledger_fact(reading: Reading) -> Fact:
    name, broken, ledger = "Ledger", reading.ledger_broken, reading.ledger
    if isinstance(broken, Unread):
        return Fact(name, "unknown", broken.unread)
    if broken is not None:
        return Fact(name, "no", broken)
    if isinstance(ledger, Unread):
        return Fact(name, "unknown", ledger.unread)
    if not ledger:
        return Fact(name, "unknown", "the database has no ledger yet")
    return Fact(name, "yes", f"the chain of {len(ledger)} rows is whole")


def _schema_fact(reading: Reading) -> Fact:
    name, agreement = "Schema", reading.agreement
    if isinstance(reading.activity, Activity):
        return Fact(name, "unknown", "not compared while a migration is at work")
    if isinstance(agreement, Unread):
        return Fact(name, "unknown", agreement.unread)
    found = agreement.found[:12]
    if agreement.expected is None:
        return Fact(name, "unknown", "revisions.lock has no fingerprint for where it is")
    if agreement.agrees:
        return Fact(name, "yes", f"it is what the revisions give ({found})")
    return Fact(name, "no", f"it is {found}; the revisions give {agreement.expected[:12]}")
