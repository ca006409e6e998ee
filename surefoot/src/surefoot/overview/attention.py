"""attention() finds in what was read what somebody should look at. Pure functions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from surefoot.chain.revisions import CLEAN
from surefoot.ledger.table import Row
from surefoot.overview.model import Activity, Fact, Link, Living, Notice, Reading, Unread
from surefoot.run.locks.blockers import Blocker

# What a row of the ledger says of a step that did not end well.
BROKEN_OFF = ("failed", "started")


def attention(
    reading: Reading,
    pending: Sequence[Link],
    services: Sequence[Living] | Unread,
    facts: Sequence[Fact],
) -> tuple[Notice, ...]:
    """The notices, what is most urgent first."""
    activity = reading.activity
    return (
        *(_blocked(activity.blockers) if isinstance(activity, Activity) else _broken_off(reading)),
        *_disproved(facts),
        *_unsafe(pending),
        *(() if isinstance(services, Unread) else _outdated(services)),
    )


def _blocked(blockers: Iterable[Blocker]) -> Iterator[Notice]:
    for blocker in blockers:
        ends = f"`SELECT pg_terminate_backend({blocker.pid})` ends that session"
        # A prepared transaction has no session, and says itself what ends it.
        help_ = ends if blocker.pid else None
        yield Notice("lock-blocked", f"the migration waits for {blocker}", help_)


def _broken_off(reading: Reading) -> Iterator[Notice]:
    """Each revision whose last row says so; nothing runs that could still mend it."""
    if isinstance(reading.ledger, Unread):
        return
    last = {row.revision: row for row in reading.ledger}
    for row in last.values():
        if row.outcome in BROKEN_OFF:
            again = "upgrade head" if row.direction == "upgrade" else "downgrade -1"
            help_ = f"the same command goes on from there: `alembic {again}`"
            yield Notice("run-failed", _ended(row), help_)


def _ended(row: Row) -> str:
    what = f"{row.direction} of {row.revision}"
    if row.outcome == "started":
        return f"{what} began at {row.started_at:%Y-%m-%d %H:%M} UTC and did not end"
    return row.error or f"{what} failed"


def _disproved(facts: Iterable[Fact]) -> Iterator[Notice]:
    found = {fact.name: fact for fact in facts if fact.holds == "no"}
    if "Ledger" in found:
        yield Notice("ledger-edited", found["Ledger"].text, "`vegafs ledger` shows the rows")
    if "Schema" in found:
        yield Notice(
            "database-drifted",
            "the schema is not what the revisions give: somebody changed it by hand",
            "`vegafs drift` lists what differs, since when, and what would bring it back",
        )


def _unsafe(pending: Iterable[Link]) -> Iterator[Notice]:
    for link in pending:
        if link.lint not in (None, CLEAN):
            yield Notice(
                "revision-unsafe",
                f"{link.id} is pending and would hurt a database in use: it breaks {link.lint}",
                f"`vegafs lint {link.id}` shows where, with the safe form",
            )


def _outdated(services: Iterable[Living]) -> Iterator[Notice]:
    for service in services:
        if service.older_than:
            yield Notice(
                "services-alive",
                f"{service.application} at {service.revision} is older than the contract revision "
                f"{', '.join(service.older_than)}",
                "deploy the newer build first: `alembic upgrade` refuses while an older one lives "
                "that the revision does not tolerate",
            )
