"""Revisions x ledger: what contradicts what was applied."""

from dataclasses import replace
from datetime import datetime, timezone

import pytest

from surefoot.chain.revisions import Revision
from surefoot.errors import RevisionEdited, RevisionInserted, RevisionMissing
from surefoot.ledger.integrity import Stranger, check_integrity, strangers
from surefoot.ledger.table import Row, applied

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
        "`surefoot ops accept-checksum 0002 --reason …`; a development database is taken back by "
        "`surefoot db goto`"
    )


def test_a_revision_whose_file_is_gone_is_named() -> None:
    """It was applied, so it has to be there."""
    with pytest.raises(RevisionMissing, match="0002 was applied on 2026-08-01"):
        check_integrity((revision(1),), {"0001"}, RECORDED)


def test_a_revision_put_before_an_applied_one_is_named() -> None:
    """No upgrade would ever run it."""
    with pytest.raises(RevisionInserted, match="0001_step_1 comes before 0002"):
        check_integrity(CHAIN, {"0002"}, applied([row(2)]))


def test_the_last_word_of_the_ledger_counts() -> None:
    """A downgrade takes a revision out; a failure and a start say nothing."""
    rows = [row(1), row(2), row(2, direction="downgrade"), row(3, "failed"), row(3, "started")]
    assert set(applied(rows)) == {"0001"}


def test_strangers_are_told_with_what_the_ledger_says_of_them() -> None:
    """Oldest first; what the ledger does not know either is unknown, and no build tolerates it."""
    fourth = replace(row(4, phase="contract"), requires_code="0002")
    recorded = applied([row(1), row(2), row(3), fourth, row(5)])
    assert strangers(CHAIN, {"0003"}, applied([row(1), row(2), row(3)])) == ()
    found = strangers(CHAIN, {"0005"}, recorded)
    assert [str(each) for each in found] == [
        "0004 (contract, needs the code of 0002)",
        "0005 (expand)",
    ]
    assert [each.tolerates(CHAIN) for each in found] == [True, True]
    assert [each.tolerates(CHAIN[:1]) for each in found] == [False, True]
    (unknown,) = strangers(CHAIN, {"00ff"}, {})
    assert (str(unknown), unknown.tolerates(CHAIN)) == ("00ff (unknown)", False)
    assert not Stranger("0004", "contract").tolerates(CHAIN)
