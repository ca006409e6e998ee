"""overview(): what was read as what is shown."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone

from surefoot.chain.revisions import Revision
from surefoot.ledger.agreement import Agreement
from surefoot.ledger.glance import Glance
from surefoot.ledger.services import Service
from surefoot.ledger.table import Row
from surefoot.overview import Unread, overview
from surefoot.overview.model import Activity, History, Reading, RunningMigration
from surefoot.overview.view import PAGE_ROWS, RUNS
from surefoot.run.sessions import MutexHolder
from surefoot.startup.check import Build, decide

NOW = datetime(2026, 11, 22, 9, 4, tzinfo=timezone.utc)
CHAIN = [
    Revision("0001", (), "expand", "create_t", "a", "f1", "clean"),
    Revision("0002", ("0001",), "expand", "add_n", "b", "f2", "clean"),
    Revision("0003", ("0002",), "contract", "drop_m", "c", "f3", "avoid-dropping-a-column"),
]
BUILD = Build.of(CHAIN)
HOLDER = MutexHolder(7, "vegafs-migrate@pod-3", 60.0, "ALTER TABLE t", 1.0)


def row(number: int, revision: str, outcome: str = "applied", **more: object) -> Row:
    checksum = next((each.sha256 for each in CHAIN if each.id == revision), "")
    made = Row(revision, "upgrade", "expand", outcome, checksum, id=number, started_at=NOW)
    return replace(made, **more)  # type: ignore[arg-type]  # a test's own fields


def reading(*rows: Row, at: str = "0001") -> Reading:
    applied = {each.revision: each for each in rows if each.outcome == "applied"}
    verdict = decide("d", BUILD, Glance(frozenset({at}), applied))
    return Reading(verdict, rows, None, None, (), Agreement(at, "f1", "f1"))


FIRST = row(1, "0001")


def states(read: Reading) -> dict[str, str]:
    return {link.id: link.state for link in overview(BUILD, read, NOW).chain}


def test_what_is_not_applied_is_pending() -> None:
    """In the order in which it runs."""
    read = reading(FIRST)
    assert states(read) == {"0001": "applied", "0002": "pending", "0003": "pending"}
    assert [link.id for link in overview(BUILD, read, NOW).pending] == ["0002", "0003"]


def test_a_revision_has_its_last_runs() -> None:
    """Newest first, those of others left out."""
    rows = [row(number, "0002", "failed", error=str(number)) for number in range(2, 10)]
    first, second, _ = overview(BUILD, reading(FIRST, *rows), NOW).chain
    assert [each.id for each in first.runs] == [1]
    assert [each.id for each in second.runs] == [9, 8, 7, 6, 5]
    assert len(second.runs) == RUNS


def test_pending_revisions_of_one_verdict_are_told_together() -> None:
    """One that stopped on the scratch database leaves all behind it unseen, and none unsafe."""
    verdicts = ["clean", "avoid-truncate", *["unknown"] * 40]
    chain = [
        Revision(f"{n:04}", (f"{n - 1:04}",) * (n > 1), "expand", "more", "a", None, verdict)
        for n, verdict in enumerate(verdicts, 1)
    ]
    unsafe, unseen = overview(Build.of(chain), reading(FIRST), NOW).attention
    assert unsafe.message.startswith(
        "0002 is pending and unsafe on a database in use: lint says avoid"
    )
    assert unseen.message == (
        "0003, 0004, …, 0041, 0042, 40 in all are pending, and lint has not seen all: whether a "
        "database in use is safe is not known"
    )
    assert unseen.help == "`surefoot lint 0003` says why"


def test_a_row_about_a_backfill_says_nothing_of_its_revision() -> None:
    """A step that failed before it has failed still, and one that began is still unfinished."""
    for outcome in ("failed", "started"):
        about = row(3, "0002", "backfill", reason="wide complete: 1 row changed")
        read = reading(FIRST, row(2, "0002", outcome, error="no"), about)
        assert states(read)["0002"] == "failed"
        seen = overview(BUILD, read, NOW)
        assert seen.attention[0].code == "run-failed"
        assert not isinstance(seen.history, Unread)
        assert [each.what for each in seen.history.rows] == ["backfill", outcome, "applied"]


def test_a_step_that_failed_or_broke_off_needs_attention() -> None:
    """Until it is applied; not where it left nothing and has no file, or was a way back."""
    for outcome in ("failed", "started"):
        read = reading(FIRST, row(2, "0002", outcome, error="no"))
        assert states(read)["0002"] == "failed"
        codes = [notice.code for notice in overview(BUILD, read, NOW).attention]
        assert codes == ["run-failed", "revision-unsafe"]
    for kept, is_told in (("nothing", False), ("1 change at its beginning", True)):
        error = f"0009 failed: no\n  kept of 0009: {kept}"
        gone = reading(FIRST, row(2, "0009", "failed", error=error))
        codes = [notice.code for notice in overview(BUILD, gone, NOW).attention]
        assert ("run-failed" in codes) == is_told
        back = row(2, "0001", "failed", direction="downgrade", error=error.replace("0009", "0001"))
        codes = [n.code for n in overview(BUILD, reading(FIRST, back), NOW).attention]
        assert "run-failed" in codes
        left = reading(FIRST, back, row(3, "0002"), at="0002")
        codes = [n.code for n in overview(BUILD, left, NOW).attention]
        assert ("run-failed" in codes) == is_told
    mended = reading(FIRST, row(2, "0002", "failed"), row(3, "0002"), at="0002")
    assert states(mended)["0002"] == "applied"
    assert [n.code for n in overview(BUILD, mended, NOW).attention] == ["revision-unsafe"]


def test_a_step_without_its_file_names_no_command_of_alembic() -> None:
    """Alembic has no such revision."""
    for direction, help_ in (
        ("upgrade", None),
        (
            "downgrade",
            "its file is not here; on a database of your own `surefoot db goto` reverts it by that "
            "of git",
        ),
    ):
        left = row(2, "0009", "failed", direction=direction, error="no\n  kept of 0009: 1 change")
        assert overview(BUILD, reading(FIRST, left), NOW).attention[0].help == help_


def test_who_holds_the_mutex_runs_what_is_next() -> None:
    """Or the step that it has begun in the ledger."""
    at_work = replace(reading(FIRST), activity=Activity(HOLDER, None, ()))
    assert states(at_work)["0002"] == "running"
    begun = reading(FIRST, row(2, "0003", "started"))
    begun = replace(begun, activity=Activity(HOLDER, None, ()))
    assert states(begun) == {"0001": "applied", "0002": "pending", "0003": "running"}


def test_who_has_reverted_something_is_not_taken_for_an_upgrade() -> None:
    """Which revision it reverts next is not known from outside."""
    back = row(3, "0002", direction="downgrade", started_at=NOW - timedelta(seconds=1))
    read = reading(FIRST, row(2, "0002"), back)
    verdict = decide("d", BUILD, Glance(frozenset({"0001"}), {"0001": FIRST}))
    read = replace(read, verdict=verdict, activity=Activity(HOLDER, None, ()))
    happening = overview(BUILD, read, NOW).happening
    assert isinstance(happening, RunningMigration)
    assert happening.revision is None
    assert states(read)["0002"] == "pending"


def test_history_comes_in_pages_that_neither_repeat_nor_hide() -> None:
    """By the number of the last row, so that new rows move nothing."""
    rows = (FIRST, *(row(n, "0002", "failed") for n in range(2, 2 * PAGE_ROWS + 2)))
    seen, before = [], None
    while True:
        page = overview(BUILD, reading(*rows), NOW, before=before).history
        assert isinstance(page, History)
        assert page.total == len(rows)
        seen += [each.id for each in page.rows]
        if (before := page.older) is None:
            break
    assert seen == list(range(2 * PAGE_ROWS + 1, 0, -1))


def test_a_service_older_than_a_pending_contract_needs_attention() -> None:
    """One of this build, or of one that nobody knows here, does not."""
    living = tuple(
        Service(revision, 1, f"at {revision}", NOW) for revision in ("0002", "0003", None)
    )
    seen = overview(BUILD, replace(reading(FIRST), services=living), NOW)
    assert not isinstance(seen.services, Unread)
    assert [service.older_than for service in seen.services] == [("0003",), (), ()]
    assert "services-alive" in [notice.code for notice in seen.attention]


def test_a_part_that_was_not_read_leaves_the_others() -> None:
    """And what follows from it is not known."""
    missing = Unread("permission denied")
    read = replace(reading(FIRST), ledger=missing, ledger_broken=missing, agreement=missing)
    seen = overview(BUILD, read, NOW)
    assert seen.history == missing
    assert [fact.holds for fact in seen.facts] == ["unknown", "unknown"]
    assert [link.state for link in seen.chain] == ["applied", "pending", "pending"]


def test_a_schema_that_differs_and_a_ledger_that_was_edited_are_told() -> None:
    """Each as a fact and as something to look at."""
    read = replace(
        reading(FIRST), agreement=Agreement("0001", "f1", "x"), ledger_broken="row 1 was edited"
    )
    seen = overview(BUILD, read, NOW)
    assert [fact.holds for fact in seen.facts] == ["no", "no"]
    codes = [notice.code for notice in seen.attention]
    assert codes == ["ledger-edited", "database-drifted", "revision-unsafe"]
