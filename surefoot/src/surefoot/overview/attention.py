"""attention() lists the problems that somebody should look at. Pure functions."""

from collections.abc import Collection, Iterable, Iterator, Sequence

from surefoot.chain.revisions import CLEAN, UNKNOWN, Revision, heads
from surefoot.chain.way_back import way_back
from surefoot.errors import names
from surefoot.ledger.table import ARRIVED, BROKEN_OFF, NOTHING, Row, applied, steps
from surefoot.overview.backfills import unfinished_backfills
from surefoot.overview.model import (
    Activity,
    AnnouncedService,
    IntegrityCheck,
    Link,
    Notice,
    Reading,
    Unread,
)
from surefoot.run.sessions import Blocker
from surefoot.wording import in_order


def attention(
    reading: Reading,
    pending: Sequence[Link],
    services: Sequence[AnnouncedService] | Unread,
    checks: Sequence[IntegrityCheck],
    *,
    chain: Sequence[Revision],
    command: str,
) -> tuple[Notice, ...]:
    """The notices, the most urgent first; their help names the library's command as `command`.

    The revisions of this build are its `chain`.
    """
    activity = reading.activity
    return (
        *(
            _blocked(activity.blockers)
            if isinstance(activity, Activity)
            else _broken_off(reading, chain)
        ),
        *(
            ()
            if isinstance(reading.backfills, Unread)
            else unfinished_backfills(reading.backfills, command)
        ),
        *_ledger(checks, command),
        *_schema(reading, checks, command),
        *_found(pending, () if isinstance(services, Unread) else services, command),
    )


def _blocked(blockers: Iterable[Blocker]) -> Iterator[Notice]:
    for blocker in blockers:
        ends = f"`SELECT pg_terminate_backend({blocker.pid})` ends that session"
        # A prepared transaction has no session; its text already names the command that ends it.
        help_ = ends if blocker.pid else None
        yield Notice("lock-blocked", f"the migration waits for {blocker}", help_)


def _broken_off(reading: Reading, chain: Sequence[Revision]) -> Iterator[Notice]:
    """Each revision whose last step did not end well; no run is active that could retry it.

    Where nothing is kept, one that has no file any more asks for nothing, nor does a downgrade
    behind which another step was done.
    """
    if isinstance(reading.ledger, Unread):
        return
    rows, known = steps(reading.ledger), {each.id for each in chain}
    last = {row.revision: row for row in rows}
    arrived = max((row.id for row in rows if row.outcome in ARRIVED), default=0)
    for row in last.values():
        if row.outcome not in BROKEN_OFF:
            continue
        is_past = row.revision not in known or (row.direction == "downgrade" and row.id < arrived)
        if is_past and f"kept of {row.revision}: {NOTHING}" in (row.error or ""):
            continue
        step = f"{row.direction} of {row.revision}"
        ended = row.error or f"{step} failed"
        if row.outcome == "started":
            ended = f"{step} began at {row.started_at:%Y-%m-%d %H:%M} UTC and did not end"
        yield Notice("run-failed", ended, _again(row, chain, {*applied(reading.ledger)}))


def _again(row: Row, chain: Sequence[Revision], has: Collection[str]) -> str | None:
    """The command that continues a step that did not end well; None where none is known."""
    if row.revision not in {each.id for each in chain}:
        if row.direction == "upgrade":
            return None
        goto = f"`{names.command()} db goto`"
        return f"its file is not here; on a database of your own {goto} reverts it by that of git"
    to: str | None = names.goal(heads(chain))
    if row.direction == "downgrade":
        to = way_back(chain, has, [row.revision])
    again = f"run `{names.alembic()} {row.direction} {to}` again: it continues from there"
    return again if to else None


def _ledger(checks: Iterable[IntegrityCheck], command: str) -> Iterator[Notice]:
    for check in checks:
        if check.name == "Ledger" and check.holds == "no":
            yield Notice("ledger-edited", check.text, f"`{command} ledger` shows the rows")


def _schema(reading: Reading, checks: Iterable[IntegrityCheck], command: str) -> Iterator[Notice]:
    if all(check.holds != "no" for check in checks if check.name == "Schema"):
        return
    if reading.verdict.state == "never-migrated":
        yield Notice(
            "not-adopted",
            "the database has objects of its own, and no record of a revision that made them",
            f"`{command} ops adopt REV --reason …` compares them with a revision",
        )
        return
    yield Notice(
        "database-drifted",
        "the schema is not the one that the revisions make: something else has changed it, or a "
        "downgrade() leaves something",
        f"`{command} drift` lists the differences, when they appeared, and the SQL that removes "
        "them",
    )


def _unsafe(verdict: str, ids: Sequence[str], shown: str) -> Notice:
    """The pending revisions of one verdict; many of them were stopped by one and the same."""
    are = f"{in_order(ids)} {'is' if len(ids) == 1 else 'are'} pending"
    if verdict == UNKNOWN:
        text = f"{are}, and lint has not seen all: whether a database in use is safe is not known"
        return Notice("revision-unsafe", text, f"{shown} says why")
    rules = verdict.replace("+", ", ")
    text = f"{are} and unsafe on a database in use: lint says {rules}"
    return Notice("revision-unsafe", text, f"{shown} shows the place and the safe form")


def _found(
    pending: Iterable[Link],
    services: Iterable[AnnouncedService],
    command: str,
) -> Iterator[Notice]:
    found: dict[str, list[str]] = {}
    for link in pending:
        if link.lint is not None and link.lint != CLEAN:
            found.setdefault(link.lint, []).append(link.id)
    for verdict, ids in found.items():
        yield _unsafe(verdict, ids, f"`{command} lint {ids[0]}`")
    for service in services:
        if service.older_than:
            yield Notice(
                "services-alive",
                f"{service.application} at {service.revision} is older than the contract revision "
                f"{', '.join(service.older_than)}",
                "deploy the newer build first: `alembic upgrade` refuses a contract revision while "
                "a service is running that it does not tolerate",
            )
