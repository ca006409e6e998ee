"""Suppressions: which findings a revision's comments let pass, and what is said of the comments."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from surefoot.errors import CommitsByItself, LockFileStale, SurefootError, UpgradeFailed
from surefoot.linting.judging import judged
from surefoot.rules.findings import Finding, TracedRevision
from surefoot.rules.suppressions import Suppression, comment, suppressions
from surefoot.trace.trace import Trace

PATH = Path("0009_change.py")
BREAKS = "import app\n"  # avoid-importing-the-application


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (
            "# allow avoid-truncate: it is a cache",
            [Suppression("avoid-truncate", "it is a cache", 1)],
        ),
        ("#allow avoid-truncate :  x  ", [Suppression("avoid-truncate", "x", 1)]),
        ("x = 1  # allow require-downgrade", [Suppression("require-downgrade", "", 1, (1, 1))]),
        ("\n# allow require-downgrade:", [Suppression("require-downgrade", "", 2)]),
        ("# allow truncate: that is no rule's name", []),
        ("#    Licensed under the Apache License", []),
        ("# we allow avoid-truncate: here", []),
        ("x = '# allow avoid-truncate: in a string'", []),
        (
            "# allow avoid-truncate, require-a,\n#   avoid-b: it is\n#   small",
            [
                Suppression(each, "it is small", 1)
                for each in ("avoid-truncate", "require-a", "avoid-b")
            ],
        ),
        ("# allow avoid-truncate and others: it is small", []),
        ("# allow avoid-truncate, others: it is small", []),
        (
            "# allow avoid-truncate: it is\n#   a cache\n\n#   of nothing",
            [Suppression("avoid-truncate", "it is a cache", 1)],
        ),
        (
            "# allow avoid-truncate: a cache\n# that is no more of it",
            [Suppression("avoid-truncate", "a cache", 1)],
        ),
    ],
)
def test_a_comment_names_a_rule_and_a_reason(source: str, expected: Sequence[Suppression]) -> None:
    """Anywhere in the file, but in a comment."""
    assert suppressions(source) == expected


def test_a_long_reason_is_read_as_it_was_written() -> None:
    """Over as many lines as it takes, none of them too long."""
    reason = "all of it is written again, " * 12 + "once"
    rules = [f"avoid-writing-all-of-{each}" for each in "abcdef"]
    written = comment(", ".join(rules), reason)
    assert max(len(line) for line in written.splitlines()) <= 100
    assert suppressions(written) == [Suppression(each, reason, 1) for each in rules]


IN_FUNCTIONS = """\
# allow avoid-a: head
x = f(  # allow avoid-b: within
    1,
)


def upgrade():
    # allow avoid-c: above
    #   all of it
    for each in (1, 2):
        op.execute(
            "…",  # allow avoid-d: within
        )
        g()  # allow avoid-e: at the end
    h()

    # allow avoid-f: above, after an empty line

    k()
    # allow avoid-g: above nothing


# allow avoid-h: outside of the functions
def downgrade():  # allow avoid-i: a function
    pass
"""


def test_a_comment_covers_the_statement_that_it_stands_at() -> None:
    """Outside of the functions the whole file; the last one of a function nothing."""
    found = {each.rule[-1]: each.lines for each in suppressions(IN_FUNCTIONS)}
    assert found == {
        "a": None,
        "b": (2, 4),
        "c": (10, 14),
        "d": (11, 13),
        "e": (14, 14),
        "f": (19, 19),
        "g": (20, 20),
        "h": None,
        "i": (24, 25),
    }
    scopes = [each.scope for each in suppressions(IN_FUNCTIONS)[:5]]
    assert scopes == [
        "in the whole file", "in lines 2 to 4", "in lines 10 to 14", "in lines 11 to 13",
        "at line 14",
    ]  # fmt: skip


def test_a_comment_at_one_statement_leaves_the_others() -> None:
    """A finding outside of its lines is reported, and so is a comment that covers no finding."""
    one = "import app  # allow avoid-importing-the-application: frozen\n"
    findings, passed = judge(one + "import shop\n")
    assert passed == 1
    assert [(line, rule) for line, rule, _ in told(findings)] == [
        (2, "avoid-importing-the-application")
    ]
    findings, passed = judge("x = 1  # allow avoid-importing-the-application: frozen\n" + BREAKS)
    assert (passed, [f.line for f in findings]) == (0, [1, 2])
    assert findings[0].consequence == (
        "the comment allows avoid-importing-the-application, which the revision does not break "
        "at line 1"
    )


def judge(source: str, failure: str | None = None) -> tuple[Sequence[Finding], int]:
    unit = TracedRevision(
        "0009", PATH, "expand", source=source, failure=failure, complete=failure is None
    )
    kept, passed = judged(unit, 18)
    return kept, len(passed)


def told(findings: Sequence[Finding]) -> Iterator[tuple[int, str, str]]:
    return ((f.line, f.rule, f.consequence) for f in findings)


def test_a_suppression_with_a_reason_lets_its_rule_pass() -> None:
    """And is counted."""
    allowed = "# allow avoid-importing-the-application: it never changes\n"
    assert judge(allowed + BREAKS) == ([], 1)


def test_a_suppression_without_a_reason_is_a_finding_itself() -> None:
    """Its rules stay suppressed: one finding is enough to say it."""
    findings, suppressed = judge("# allow avoid-importing-the-application\n" + BREAKS)
    assert suppressed == 1
    assert list(told(findings)) == [
        (
            1,
            "require-reason-for-suppression",
            "a later reader cannot tell whether avoid-importing-the-application may still be "
            "suppressed here",
        )
    ]


def test_a_suppression_of_a_rule_that_is_not_broken_is_a_finding() -> None:
    """It would hide a later one."""
    findings, suppressed = judge("\n# allow avoid-truncate: it is a cache\n")
    assert suppressed == 0
    assert list(told(findings)) == [
        (
            2,
            "avoid-unused-suppression",
            "the comment allows avoid-truncate, which the revision does not break",
        )
    ]


def test_a_suppression_of_no_rule_is_a_finding() -> None:
    """A slip of the pen suppresses nothing."""
    findings, _ = judge("# allow avoid-trunkate: it is a cache\n")
    assert list(told(findings)) == [
        (
            1,
            "avoid-unused-suppression",
            "the comment allows avoid-trunkate, which does not exist",
        )
    ]


def test_a_revision_that_failed_may_suppress_what_it_did_not_come_to() -> None:
    """Its statements were not all seen."""
    findings, _ = judge("# allow avoid-truncate: it is a cache\n", failure="run-failed")
    assert [finding.rule for finding in findings] == ["require-complete-trace"]


@pytest.mark.parametrize(
    ("failure", "applied"),
    [
        (None, ["0001", "0002", "0003"]),
        (CommitsByItself("0003"), []),
        (
            UpgradeFailed("0003", "a reason", ["0001", "0002"], "alembic upgrade head"),
            ["0001", "0002"],
        ),
        (LockFileStale("revisions.lock", ["0003 was edited"]), []),
    ],
    ids=["no failure", "refused before all", "failed", "not begun"],
)
def test_only_revisions_that_ran_to_their_end_were_tried(
    failure: SurefootError | None, applied: list[str]
) -> None:
    """Of the others nothing is said: no unused suppression, no free undo."""
    assert list(Trace((), failure).applied(["0001", "0002", "0003"])) == applied
