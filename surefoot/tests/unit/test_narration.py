"""Each event has its words."""

from __future__ import annotations

from dataclasses import replace

import pytest

from surefoot.run.events import (
    Adopted,
    AheadAccepted,
    BackupStarted,
    Blocked,
    Event,
    Finished,
    MutexBusy,
    NotMeasured,
    RevisionDone,
    ServicesWaiting,
    Started,
    StatementRunning,
    StatementWaiting,
    Warned,
)
from surefoot.run.narration import lines
from surefoot.run.report import AppliedRevision, PlannedRevision, Report
from surefoot.run.sessions import Blocker, MutexHolder, StatementProgress

BLOCKER = Blocker(5512, "report", "active", 840.0, "select ?")
BY = "pid 5512 report, active, in a transaction for 14 min: select ?"
PLAN = (PlannedRevision("0002", "Add b", "upgrade", ("0001",), ("0002",)),)
DONE = AppliedRevision("0002", "Add b", "upgrade", 0.25)
REPORT = Report("shop", ("0001",), ("0002",), (DONE,), 1.5)
HEADS = frozenset({"0002"})
BLOCKED = Blocked("0002", (BLOCKER,), 1, 30.0, "lock timeout", is_outside_transaction=False)


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (Started("shop", ("0001",), PLAN), ["APPLY  shop: 1 revision, 0001 to 0002"]),
        (
            Started("shop", (), (replace(PLAN[0], direction="stamp"),) * 2),
            ["STAMP  shop: 2 revisions, base to 0002"],
        ),
        (RevisionDone(DONE, 1, 3), ["  1 of 3  0002  Add b  0.2 s"]),
        (RevisionDone(replace(DONE, title=""), 1, 1), ["  1 of 1  0002  0.2 s"]),
        (Finished(REPORT, HEADS, "0001"), ["OK  1 applied in 1.5 s. Undo: alembic downgrade 0001"]),
        (
            Finished(replace(REPORT, steps=(replace(DONE, direction="downgrade"),)), HEADS, "0001"),
            ["OK  1 reverted in 1.5 s. Redo: alembic upgrade 0001"],
        ),
        (
            Finished(replace(REPORT, steps=(replace(DONE, direction="stamp"),)), HEADS),
            ["OK  1 stamped in 1.5 s. The schema is untouched."],
        ),
        (
            Finished(replace(REPORT, steps=()), HEADS),
            ["OK  shop is at head 0002. Nothing to do. (1.5 s)"],
        ),
        (
            Finished(replace(REPORT, steps=(), after=()), HEADS),
            ["OK  shop is at base. Nothing to do. (1.5 s)"],
        ),
        (
            AheadAccepted("shop", ("0003",), ("0002",)),
            ["OK  shop is ahead of this build: 0003 leaves what 0002 needs. Nothing to do."],
        ),
        (
            Adopted("shop", ("0002",), 2),
            ["ADOPT  shop: the ledger begins at 0002, with 2 revisions as adopted"],
        ),
        (
            MutexBusy(MutexHolder(41, "migrate@pod", 63.0, "select ?"), 4.0, 300.0),
            [
                "WAIT [mutex-held]  another migration is at work; 4 s so far, gives up at 5 min",
                "  holder: backend 41 (migrate@pod), connected for 1 min 3 s, on: select ?",
                "  Ctrl-C is safe: this run has changed nothing",
            ],
        ),
        (
            MutexBusy(None, 4.0, 60.0),
            [
                "WAIT [mutex-held]  another migration is at work; 4 s so far, gives up at 1 min",
                "  Ctrl-C is safe: this run has changed nothing",
            ],
        ),
        (StatementWaiting(3.2, (BLOCKER,)), ["  waiting for 3.2 s, for:", f"    {BY}"]),
        (
            StatementRunning(3.2, StatementProgress("scanning", 0.5)),
            ["  3.2 s so far: scanning, 50 %"],
        ),
        (StatementRunning(3.2, StatementProgress("waiting", None)), ["  3.2 s so far: waiting"]),
        (StatementRunning(31.0, None), ["  31 s so far"]),
        (
            BLOCKED,
            [
                "BLOCKED [lock-blocked]  0002 did not get its lock in time; nothing of it is kept",
                f"  by: {BY}",
                "  attempt 2 in 30 s, or once they have ended",
            ],
        ),
        (
            replace(
                BLOCKED,
                blockers=(),
                retry_in_s=None,
                cause="deadlock",
                is_outside_transaction=True,
            ),
            ["BLOCKED [lock-blocked]  0002 met a deadlock; its step is repeated"],
        ),
        (
            replace(BLOCKED, blockers=(), retry_in_s=0.5, cause="conflict"),
            [
                "BLOCKED [lock-blocked]  0002 could not be serialized beside another transaction; "
                "nothing of it is kept",
                "  attempt 2 in 0.5 s",
            ],
        ),
        (ServicesWaiting("services-alive", "0002 needs"), ["WAIT [services-alive]  0002 needs"]),
        (Warned("revision-unsafe", "0002 is"), ["WARNING [revision-unsafe]  0002 is"]),
        (BackupStarted("pg_dump shop"), ["BACKUP  pg_dump shop"]),
        (NotMeasured("no"), ["NOTE  the schema was not measured: no"]),
    ],
)
def test_an_event_is_narrated(event: Event, expected: list[str]) -> None:
    """In whole lines."""
    assert list(lines(event)) == expected
