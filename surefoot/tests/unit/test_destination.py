"""A relative destination, by the plan of its run."""

import pytest

from surefoot.chain.revisions import Revision
from surefoot.run.destination import absolute
from surefoot.run.report import PlannedRevision


def revision(identifier: str, *down: str) -> Revision:
    return Revision(identifier, down, "expand", "", "")


LINE = [revision("0001"), revision("0002", "0001"), revision("0003", "0002")]
BRANCHES = [*LINE, revision("s1"), revision("s2", "s1"), revision("m", "0003", "s2")]


@pytest.mark.parametrize(
    ("destination", "direction", "revisions", "expected"),
    [
        ("+2", "upgrade", ["0001", "0002"], "0002"),
        ("+1", "upgrade", ["0003"], "0003"),
        ("shop@+2", "upgrade", ["0002", "0003"], "0003"),
        ("-1", "downgrade", ["0003"], "0002"),
        ("-2", "downgrade", ["0003", "0002"], "0001"),
        ("-3", "downgrade", ["0003", "0002", "0001"], "base"),
        ("shop@-1", "downgrade", ["0003"], "0002"),
        ("shop@-3", "downgrade", ["0003", "0002", "0001"], "base"),
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
    before = (revisions[0],) if revisions else ()
    plan = [PlannedRevision(each, "", direction, before, ()) for each in revisions]
    assert absolute(destination, plan, LINE) == expected


@pytest.mark.parametrize(
    ("destination", "before", "revisions", "expected"),
    [
        ("shop@-1", ("0003", "s2"), ["s2"], "s1"),
        # `base` would revert the other branch as well.
        ("shop@-2", ("0003", "s2"), ["s2", "s1"], "shop@base"),
        ("-1", ("0003", "s2"), ["0003"], "0002"),
        ("-1", ("m",), ["m"], "0003"),
        ("-2", ("0003", "s2"), ["s2", "s1"], None),
    ],
)
def test_where_it_leads_in_branches(
    destination: str, before: tuple[str, ...], revisions: list[str], expected: str | None
) -> None:
    """To a revision behind which all that was reverted stood, and nothing else."""
    plan = [PlannedRevision(each, "", "downgrade", before, ()) for each in revisions]
    assert absolute(destination, plan, BRANCHES) == expected
