"""A run at this moment, in lines for a terminal, and how wide they are."""

from __future__ import annotations

from dataclasses import replace

import pytest

from surefoot.run.estimates import Estimates, Range
from surefoot.run.events import (
    BackupStarted,
    Blocked,
    Event,
    Finished,
    MutexBusy,
    RevisionDone,
    RevisionStarted,
    ServicesWaiting,
    Started,
    StatementSeen,
)
from surefoot.run.progress import Progress
from surefoot.run.report import AppliedRevision, PlannedRevision, Report
from surefoot.run.sessions import Blocker, StatementProgress
from surefoot.run.telling import Attempts
from surefoot.terminal.cells import cut, width

PLAN = PlannedRevision("0002", "Index jobs", "upgrade", ("0001",), ("0002",))
NEXT = PlannedRevision("0003", "Drop b", "upgrade", ("0002",), ("0003",))
STARTED = RevisionStarted(PLAN, 2, 3)
DONE = RevisionDone(AppliedRevision("0002", "Index jobs", "upgrade", 3.0), 2, 3)
BLOCKER = Blocker(5512, "report", "active", 840.0, "select ?")
BY = "      pid 5512 report, active, in a transaction for 14 min: select ?"
SQL = "CREATE INDEX i ON jobs (rank)"
LOST = Blocked("0002", (BLOCKER,), 1, 30.0, "lock timeout", is_outside_transaction=False)
SERVICES = ServicesWaiting("services-alive", "x")
PHASE = "building index: scanning table"


def seen(running_s: float, share: float | None = None, *blockers: Blocker) -> StatementSeen:
    done = None if share is None else StatementProgress(PHASE, share)
    return StatementSeen(SQL, running_s, done, blockers)


def shown(
    *heard: tuple[float, Event], at_s: float, columns: int = 79, expected: Range | None = None
) -> list[str]:
    """The lines at a moment, when each event was heard at its own."""
    now_s = 0.0
    estimates = Estimates({} if expected is None else {("0002", SQL): expected})
    progress = Progress(estimates, clock=lambda: now_s)
    for heard_s, event in heard:
        now_s = heard_s
        progress.hear(event)
    now_s = at_s
    return list(progress.lines(columns))


FIRST = "  2 of 3  0002  Index jobs  {} s"


@pytest.mark.parametrize(
    ("heard", "at_s", "lines"),
    [
        # Nothing has begun, it has only begun, and it is done.
        ([], 1, []),
        ([(1, Started("shop", (), (PLAN,)))], 9, []),
        ([(1, STARTED)], 1.4, []),
        ([(1, STARTED), (4, DONE)], 9, []),
        ([(1, STARTED), (4, Finished(Report("shop", (), (), (), 4.0), frozenset()))], 9, []),
        # Python of the revision runs, a statement does, and did.
        ([(1, STARTED)], 4, [FIRST.format(3)]),
        ([(1, STARTED), (4, seen(1.0))], 4.5, [FIRST.format(4), f"    {SQL}"]),
        ([(1, STARTED), (4, seen(1.0))], 8, [FIRST.format(7)]),
        # A revision whose commit is told once the next one has begun.
        ([(1, STARTED), (4, RevisionStarted(NEXT, 3, 3)), (5, DONE)], 9,
         ["  3 of 3  0003  Drop b  5 s"]),
        # The share of a phase, and what is left of it once that can be told.
        ([(1, STARTED), (2, seen(1.0, 0.1))], 2,
         [FIRST.format(1), f"    {SQL}", f"    10 %: {PHASE}"]),
        ([(1, STARTED), (2, seen(1.0, 0.1)), (12, seen(11.0, 0.35))], 12,
         [FIRST.format(11), f"    {SQL}", f"    35 %, ~26 s left: {PHASE}"]),
        ([(1, STARTED), (2, seen(1.0, 0.1)), (12, seen(11.0, 1.0))], 12,
         [FIRST.format(11), f"    {SQL}", f"    100 %: {PHASE}"]),
        # Who is in the way: now, and of the attempt before.
        ([(1, STARTED), (4, seen(2.0, None, BLOCKER))], 5,
         [FIRST.format(4), f"    {SQL}", "    waits, 3 s so far, for:", BY]),
        ([(1, STARTED), (4, seen(2.0, None, *[BLOCKER] * 4))], 5,
         [FIRST.format(4), f"    {SQL}", "    waits, 3 s so far, for:", BY, BY,
          "      and 2 more"]),
        ([(1, STARTED), (3, seen(2.0)),
          (4, LOST)], 9,
         [FIRST.format(8), "    attempt 2 in at most 25 s, or once these end:", BY]),
        ([(1, STARTED),
          (4, replace(LOST, blockers=()))], 9,
         [FIRST.format(8), "    attempt 2 in at most 25 s"]),
        ([(1, STARTED),
          (4, LOST),
          (9, STARTED)], 10, [FIRST.format(9)]),
        # Before the first revision.
        ([(60, MutexBusy(None, 42.0, 300.0))], 70,
         ["  waits for the other migration  52 s", "    gives up in 4 min 8 s"]),
        ([(1, SERVICES), (4, SERVICES)], 9,
         ["  waits for services to end  8 s"]),
        ([(1, BackupStarted("pg_dump"))], 90, ["  runs the backup command  1 min 29 s"]),
    ],
)  # fmt: skip
def test_the_lines_of_a_moment(
    heard: list[tuple[float, Event]], at_s: float, lines: list[str]
) -> None:
    """The last event, and how long ago that was."""
    assert shown(*heard, at_s=at_s) == lines


@pytest.mark.parametrize(
    ("running_s", "left"),
    [
        (5, "~15 s to 1 min 25 s left in all"),
        (30, "at most ~1 min left in all"),
        (100, "past the estimate of ~1 min 30 s"),
    ],
)
def test_the_estimate_of_a_plan_goes_before_that_of_a_phase(running_s: float, left: str) -> None:
    """It is of the whole statement."""
    heard = ((1.0, STARTED), (2.0, seen(1.0, 0.1)), (running_s, seen(running_s, 0.5)))
    lines = shown(*heard, at_s=running_s, expected=Range(20, 90))
    assert lines[2] == f"    50 %, {left}: {PHASE}"
    without = shown((1, STARTED), (3, seen(3.0)), at_s=3, expected=Range(5, 5))
    assert without[2] == "    ~2 s left in all"


@pytest.mark.parametrize(
    ("text", "cells"),
    [
        ("", 0),
        ("jobs", 4),
        ("naïve", 5),
        ("nai\u0308ve", 5),
        ("優先度", 6),
        ("ｊ", 2),
        ("a\u200bb", 2),
        ("🚀", 2),
    ],
)
def test_a_text_has_a_width_on_a_terminal(text: str, cells: int) -> None:
    """Of a wide character two cells, of a mark none."""
    assert width(text) == cells


def test_a_text_is_cut_by_its_width() -> None:
    """And never into a character."""
    assert [cut("優先度", cells) for cells in range(8)] == [
        "", "…", "…", "優…", "優…", "優先…", "優先度", "優先度",
    ]  # fmt: skip
    assert cut("a\tb\nc", 9) == "a b c"
    assert shown((1, RevisionStarted(PLAN, 2, 3)), at_s=5, columns=23) == [
        "  2 of 3  0002  I…  4 s"
    ]


def test_an_attempt_that_meets_the_same_is_not_told_again() -> None:
    """Another one is, and the last one always."""
    attempts = Attempts()
    repeated = [
        attempts.repeat(event)
        for event in (
            STARTED,
            LOST,
            replace(LOST, attempt=2),
            replace(LOST, attempt=3, blockers=(replace(BLOCKER, transaction="4/2"),)),
            replace(LOST, attempt=4, cause="deadlock"),
            replace(LOST, attempt=5, cause="deadlock"),
            replace(LOST, attempt=6, cause="deadlock", retry_in_s=None),
        )
    ]
    assert repeated == [False, False, True, False, False, True, False]
