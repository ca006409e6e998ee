"""Where a database is: what the start-up check, the run, plan and history have in common."""

from __future__ import annotations

from dataclasses import replace

import pytest

from surefoot.chain.revisions import Revision
from surefoot.errors import DatabaseDiverged
from surefoot.ledger.position import position
from surefoot.ledger.table import Row
from surefoot.version_table import VersionTable

CHAIN = tuple(
    Revision(f"000{n}", (f"000{n - 1}",) if n > 1 else (), "expand", f"step_{n}", f"{n}" * 64)
    for n in (1, 2, 3)
)


def rows(*numbers: int) -> dict[str, Row]:
    return {f"000{n}": Row(f"000{n}", "upgrade", "expand", "applied", f"{n}" * 64) for n in numbers}


def test_pending_revisions_come_in_the_order_of_the_chain() -> None:
    """With a ledger and without one."""
    for recorded in (rows(1), {}):
        found = position(CHAIN, {"0001"}, recorded)
        assert (found.state, found.pending) == ("behind", CHAIN[1:])


def test_nothing_is_pending_where_a_newer_build_was() -> None:
    """It has all of this build's and more; a contradiction has the same strangers."""
    recorded = rows(1, 2, 3, 4)
    found = position(CHAIN, {"0004"}, recorded)
    assert (found.state, found.pending, found.tolerated) == ("ahead", (), True)
    assert [str(stranger) for stranger in found.strangers] == ["0004 (expand)"]
    edited = {**recorded, "0002": replace(recorded["0002"], checksum="f" * 64)}
    found = position(CHAIN, {"0004"}, edited)
    assert (found.state, found.tolerated) == ("diverged", True)
    assert [str(stranger) for stranger in found.strangers] == ["0004 (expand)"]


def test_a_contradiction_names_the_version_table() -> None:
    """Its name is the project's to choose."""
    found = position(CHAIN, (), None, VersionTable("shop_version"))
    assert found.contradiction is not None
    with pytest.raises(DatabaseDiverged) as caught:
        raise found.contradiction.error("shop")
    assert caught.value.message == (
        "database 'shop' and this build contradict each other: shop_version is empty, and the "
        "ledger is at 0003"
    )
    assert caught.value.help == (
        "shop_version was written by somebody else: `surefoot ledger` shows what was done, "
        "`surefoot ops adopt 0003 --reason …` records where the schema is"
    )
