"""status(): what an overview is in words, and only as far as it was looked at."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timezone

import pytest

from surefoot.chain.revisions import Revision
from surefoot.cli.status_text import render, where_of
from surefoot.ledger.agreement import Agreement
from surefoot.ledger.glance import Glance
from surefoot.ledger.services import Service
from surefoot.ledger.table import Row
from surefoot.overview import Unread, overview
from surefoot.overview.model import Reading
from surefoot.overview.status import Status, status
from surefoot.startup.backfills import SeenBackfill
from surefoot.startup.check import Build, decide
from surefoot.terminal.cells import width

NOW = datetime(2026, 11, 22, 9, 4, tzinfo=timezone.utc)
CHAIN = [
    Revision("0001", (), "expand", "create_t", "a", "f1", "clean"),
    Revision("0002", ("0001",), "expand", "n", "b", "f2", "clean", requires_backfill=("fill n",)),
    Revision("0003", ("0002",), "contract", "drop_m", "c", "f3", "clean"),
]
BUILD = Build.of(CHAIN)
FIRST = Row("0001", "upgrade", "expand", "applied", "a", id=1, finished_at=NOW, duration_s=3.4)
FIRST = replace(FIRST, actor={"os_user": "ci", "host": "build7"})
FILL = SeenBackfill("fill n", "t", "running", 2, 5, 0, 50, 100, 9.0, 840.0, None, 1, NOW, None, 0.5)


def reading(*rows: Row) -> Reading:
    applied = {each.revision: each for each in rows}
    verdict = decide("shop", BUILD, Glance(frozenset(applied), applied))
    return Reading(verdict, rows, None, None, (), Agreement("0001", "f1", "f1"))


def words(read: Reading) -> Status:
    return status(overview(BUILD, read, NOW), CHAIN, "surefoot")


def test_the_whole_text() -> None:
    """The layout: state word, table, waits, and the next action last."""
    read = replace(reading(FIRST), backfills=(FILL,))
    where = where_of(target="eu", production=True)
    assert [*render(words(read), where=where, whole=False)] == [
        "PENDING  shop (target eu, production): 2 of 3 revisions pending, 1 backfill running, "
        "no drift",
        "",
        "  STATE    REVISION  WHEN (UTC)        TOOK   BY         WHAT",
        "  applied  0001      2026-11-22 09:04  3.4 s  ci@build7  create t",
        "  pending  0002                                          n",
        "  pending  0003                                          drop m",
        "",
        "Waits: 0002 until the backfill fill n ends; about 14 min of its lap 2 left",
        "Next:  surefoot backfill status 'fill n'",
    ]
    assert where_of(target=None, production=False) == ""


@pytest.mark.parametrize(
    ("columns", "header", "last"),
    [
        (
            100,
            "STATE    REVISION  WHEN (UTC)        TOOK   BY         WHAT",
            "create the table t, 表",
        ),
        (70, "STATE    REVISION  WHEN (UTC)        TOOK   WHAT", "create the table t, 表"),
        (62, "STATE    REVISION  WHEN (UTC)        WHAT", "create the table t, 表"),
        (60, "STATE    REVISION  WHAT", "create the table t, 表"),
        (40, "STATE    REVISION  WHAT", "create the table t…"),
        (20, "STATE    REVISION  WHAT", "create th…"),
    ],
)
def test_a_narrow_terminal_gets_fewer_columns(columns: int, header: str, last: str) -> None:
    """Columns are left out first; the text of the last one is cut where it still does not fit."""
    found = words(reading(FIRST))
    first, *others = found.seen.chain
    chain = (replace(first, title="create the table t, 表"), *others)
    found = replace(found, seen=replace(found.seen, chain=chain))
    lines = [*render(found, where="", whole=False, columns=columns)]
    at = lines.index("") + 1
    assert lines[at].strip() == header
    assert lines[at + 1].endswith(f"  {last}")
    assert all(width(line) <= max(columns, 31) for line in lines[at : at + 4])


def test_the_command_that_helps_is_told_once() -> None:
    """As what is next; the JSON has it in both."""
    found = words(reading(FIRST))
    lines = [*render(found, where="", whole=False)]
    assert sum("surefoot backfill run" in line for line in lines) == 1
    assert found.waits[0].endswith(found.next)


@pytest.mark.parametrize(
    ("state", "more", "waits", "following"),
    [
        (
            "running",
            {"left_s": None, "waits": "replica eu is 9 s behind"},
            "0002 until the backfill fill n ends; it waits: replica eu is 9 s behind",
            "surefoot backfill status 'fill n'",
        ),
        (
            "interrupted",
            {},
            "0002 until the backfill fill n is complete; it is interrupted: "
            "surefoot backfill run 'fill n' --execute",
            "surefoot backfill status 'fill n'",
        ),
        ("complete", {}, None, "surefoot plan"),
    ],
)
def test_a_revision_waits_for_its_backfill(
    state: str, more: dict[str, object], waits: str | None, following: str
) -> None:
    """Until it is complete."""
    fill = replace(FILL, state=state, **more)  # type: ignore[arg-type]  # fields of a test
    found = words(replace(reading(FIRST), backfills=(fill,)))
    assert found.waits == (() if waits is None else (waits,))
    assert found.next == following


def test_a_backfill_that_has_not_begun_is_next() -> None:
    """Nothing is known of it but its name."""
    found = words(reading(FIRST))
    command = "surefoot backfill run 'fill n' --execute"
    assert found.waits == (f"0002 for the backfill fill n, where rows lack its change: {command}",)
    assert found.next == command


def test_a_service_whose_code_is_older_is_waited_for() -> None:
    """By the contract revision that breaks it."""
    living = (Service("0001", 1, "api@pod-3", NOW),)
    found = words(replace(reading(FIRST), services=living))
    assert found.waits[1:] == ("0003 until api@pod-3 has ended, whose code is of 0001",)


def test_what_was_not_looked_at_is_not_claimed() -> None:
    """Neither in the headline nor in what is waited for."""
    missing = Unread("it took too long")
    read = reading(FIRST)
    found = words(
        replace(read, ledger=missing, backfills=missing, services=missing, agreement=missing)
    )
    assert found.summary == "2 of 3 revisions pending"
    assert found.waits == ("0002 requires the backfill fill n, whose state was not looked at",)
    assert found.not_looked_at == dict.fromkeys(
        ("ledger", "backfills", "services", "drift"), "it took too long"
    )
    assert found.next == "surefoot plan"
    lines = [*render(found, where="", whole=False)]
    assert "Note:  ledger was not looked at: it took too long" in lines
    rows = {each.id: replace(FIRST, revision=each.id, checksum=each.sha256) for each in CHAIN}
    verdict = decide("shop", BUILD, Glance(frozenset({"0003"}), rows))
    agreement = Agreement("0003", "f3", "f3")
    at_head = Reading(verdict, (*rows.values(),), None, None, (), agreement, backfills=())
    assert words(at_head).next == "nothing to do"
    unseen = words(replace(at_head, backfills=missing))
    assert unseen.next == "nothing to do, by what was looked at"


def test_a_never_migrated_database_may_not_be_called_empty() -> None:
    """Where nobody looked whether it has tables."""
    verdict = decide("shop", BUILD, Glance(frozenset(), {}))
    at_base = Reading(verdict, (), None, None, (), Agreement("base", "f0", "f0"))
    assert (words(at_base).word, words(at_base).waits) == ("empty", ())
    assert words(replace(at_base, agreement=Agreement("base", "f0", "f1"))).word == "not-adopted"
    unread = words(replace(at_base, agreement=Unread("no answer")))
    assert (unread.word, unread.next) == ("never-migrated", "surefoot plan")


def test_many_revisions_are_not_all_shown() -> None:
    """Those beside the place of the database are; --all shows the rest."""
    many = [
        Revision(f"{n:04}", (f"{n - 1:04}",) if n > 1 else (), "expand", "x", "a")
        for n in range(1, 101)
    ]
    build = Build.of(many)
    verdict = decide("d", build, Glance(frozenset({"0060"}), {}))
    read = Reading(verdict, (), None, None, (), Unread("-"))
    found = status(overview(build, read, NOW), many, "surefoot")
    short = [line.split()[1] for line in render(found, where="", whole=False) if "  00" in line]
    assert short == [f"{n:04}" for n in range(56, 71)]
    assert "  and 55 older revisions, 30 later revisions: --all" in [
        *render(found, where="", whole=False)
    ]
    whole = [line for line in render(found, where="", whole=True) if line.startswith("  ")]
    assert len(whole) == 101
