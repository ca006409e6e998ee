"""Revisions x ledger: what contradicts what was applied."""

from datetime import datetime, timezone

import pytest

from app.errors import RevisionEdited, RevisionInserted, RevisionMissing
from app.migrate.history.ledger import Row, applied
from app.migrate.history.plan import ahead, check_integrity
from app.migrate.history.revisions import Revision

WHEN = datetime(2026, 8, 1, tzinfo=timezone.utc)


def revision(number: int, sha256: str | None = None, phase: str = "expand") -> Revision:
    downs = (f"000{number - 1}",) if number > 1 else ()
    return Revision(f"000{number}", downs, phase, f"step_{number}", sha256 or f"{number}" * 64)


def row(
    number: int, outcome: str = "applied", direction: str = "upgrade", phase: str = "expand"
) -> Row:
    return Row(
        f"000{number}", direction, phase, outcome, f"{number}" * 64, id=number, finished_at=WHEN
    )


CHAIN = (revision(1), revision(2), revision(3))
RECORDED = applied([row(1), row(2)])


def test_what_was_applied_as_it_is_on_disk_passes() -> None:
    """Equal checksums, and what is pending does not count."""
    check_integrity(CHAIN, {"0002"}, RECORDED)


def test_a_database_without_a_ledger_passes() -> None:
    """An ordinary Alembic has managed it so far; the first run adopts it."""
    check_integrity(CHAIN, {"0002"}, {})


def test_an_edited_revision_is_named_with_both_checksums() -> None:
    """The way out is in the help."""
    with pytest.raises(RevisionEdited) as caught:
        check_integrity((revision(1), revision(2, "f" * 64), revision(3)), {"0002"}, RECORDED)
    assert caught.value.render() == (
        "REFUSED [revision-edited]  0002_step_2 changed after it was applied on 2026-08-01 "
        "(recorded 22222222…, file ffffffff…)\n"
        "  help: restore the file; if the edit is harmless, "
        "`vegafs ops accept-checksum 0002 --reason …`"
    )


def test_a_revision_whose_file_is_gone_is_named() -> None:
    """It was applied, so it has to be there."""
    with pytest.raises(RevisionMissing, match="0002 was applied on 2026-08-01"):
        check_integrity((revision(1),), {"0001"}, RECORDED)


def test_a_revision_put_before_an_applied_one_is_named() -> None:
    """No upgrade would ever run it."""
    with pytest.raises(RevisionInserted, match="0001_step_1 stands before 0002"):
        check_integrity(CHAIN, {"0002"}, applied([row(2)]))


def test_the_last_word_of_the_ledger_counts() -> None:
    """A downgrade takes a revision out; a failure and a start say nothing."""
    rows = [row(1), row(2), row(2, direction="downgrade"), row(3, "failed"), row(3, "started")]
    assert set(applied(rows)) == {"0001"}


def test_ahead_tells_the_phases_of_what_is_unknown() -> None:
    """By the ledger; what that does not know either is unknown."""
    recorded = applied([row(1), row(2), row(3), row(4, phase="contract"), row(5)])
    assert ahead(CHAIN, {"0003"}, recorded) is None
    assert ahead(CHAIN, {"0005"}, recorded) == {"0004": "contract", "0005": "expand"}
    assert ahead(CHAIN, {"00ff"}, {}) == {"00ff": "unknown"}
