"""A relative destination, by the plan of its run."""

import pytest

from surefoot.chain.revisions import Revision
from surefoot.run.destination import absolute
from surefoot.run.report import PlannedRevision

CHAIN = [
    Revision("0001", (), "expand", "", ""),
    Revision("0002", ("0001",), "expand", "", ""),
    Revision("0003", ("0002",), "expand", "", ""),
]


@pytest.mark.parametrize(
    ("destination", "direction", "revisions", "expected"),
    [
        ("+2", "upgrade", ["0001", "0002"], "0002"),
        ("+1", "upgrade", ["0003"], "0003"),
        ("shop@+2", "upgrade", ["0002", "0003"], "0003"),
        ("-1", "downgrade", ["0003"], "0002"),
        ("-2", "downgrade", ["0003", "0002"], "0001"),
        ("-3", "downgrade", ["0003", "0002", "0001"], "base"),
        ("shop@-1", "downgrade", ["0003"], "shop@0002"),
        ("shop@-3", "downgrade", ["0003", "0002", "0001"], "shop@base"),
        # Counted from a revision, or named.
        ("0003-1", "downgrade", ["0003"], None),
        ("0001+1", "upgrade", ["0002"], None),
        ("head", "upgrade", ["0003"], None),
        ("base", "downgrade", ["0001"], None),
        # There is nothing to do, or nothing was asked for.
        ("+0", "upgrade", [], None),
        (None, "upgrade", ["0001"], None),
    ],
)
def test_where_it_leads(
    destination: str | None, direction: str, revisions: list[str], expected: str | None
) -> None:
    """To the revision behind the last step."""
    plan = [PlannedRevision(each, "", direction, (), ()) for each in revisions]
    assert absolute(destination, plan, CHAIN) == expected
