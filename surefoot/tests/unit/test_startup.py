"""The decision of the start-up check: build x what the database names -> verdict."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timezone

import pytest

from surefoot.chain.revisions import Revision
from surefoot.ledger.glance import Glance
from surefoot.ledger.table import Row
from surefoot.startup.check import Build, State, decide

WHEN = datetime(2026, 8, 1, tzinfo=timezone.utc)
BACK = "; a development database is taken back by `surefoot db goto`"
LOST = f"deploy the build that has it, or restore the database that belongs to this one{BACK}"
BY_HAND = (
    "alembic_version was written by somebody else: `surefoot ledger` shows what was done, "
    "`surefoot ops adopt {} --reason …` records where the schema is"
)
BRANCHED = (
    "two builds that do not know each other migrated it: deploy one that has both revisions; if "
    f"one was renamed, `surefoot ops adopt REV --reason …` records where the schema is{BACK}"
)
EDITED = (
    "restore the file; if the edit is harmless, `surefoot ops accept-checksum 0002 --reason …`"
    f"{BACK}"
)
NEWER = f"deploy the build that has {{0}}, or downgrade the database with that build{BACK}"


def revision(number: int, *downs: int) -> Revision:
    below = downs or ((number - 1,) if number > 1 else ())
    return Revision(
        f"000{number}",
        tuple(f"000{d}" for d in below),
        "expand",
        f"step_{number}",
        f"{number}" * 64,
    )


def row(number: int, phase: str = "expand", requires_code: str | None = None) -> Row:
    return Row(
        f"000{number}",
        "upgrade",
        phase,
        "applied",
        f"{number}" * 64,
        requires_code=requires_code,
        finished_at=WHEN,
    )


CHAIN = Build.of(tuple(map(revision, range(1, 5))))
# 0003 and 0004 both build on 0002, and 0005 on both.
MERGED = Build.of((revision(1), revision(2), revision(3, 2), revision(4, 2), revision(5, 3, 4)))
# 0002 and 0003 both build on 0001, and nothing merges them.
BRANCHES = Build.of((revision(1), revision(2), revision(3, 1)))


def ledger(*rows: Row) -> dict[str, Row]:
    return {each.revision: each for each in rows}


def up_to(number: int, *more: Row) -> dict[str, Row]:
    return ledger(*map(row, range(1, number + 1)), *more)


@dataclass(frozen=True)
class Case:
    """A database, and what a build at 0004 says of it."""

    name: str
    heads: Collection[str]
    # None: the digest is that of all revisions of the build; {}: there is no ledger.
    recorded: dict[str, Row] | None
    state: State
    message: str | None = None
    help: str | None = None
    pending: tuple[str, ...] = ()
    ahead: tuple[str, ...] = ()
    build: Build = CHAIN


CASES = (
    Case("at head", {"0004"}, None, "current"),
    Case("at head, whatever the order of the rows", {"0004"}, up_to(4), "current"),
    Case("at head without a ledger", {"0004"}, {}, "current"),
    Case(
        "behind",
        {"0002"},
        up_to(2),
        "behind",
        "database 'vegafs' is at 0002; this build needs 0004 (pending: 0003, 0004)",
        "run `alembic upgrade head`",
        pending=("0003", "0004"),
    ),
    Case(
        "behind without a ledger",
        {"0003"},
        {},
        "behind",
        "database 'vegafs' is at 0003; this build needs 0004 (pending: 0004)",
        "run `alembic upgrade head`",
        pending=("0004",),
    ),
    Case(
        "behind on both branches of a merge",
        {"0003", "0004"},
        up_to(4),
        "behind",
        "database 'vegafs' is at 0003, 0004; this build needs 0005 (pending: 0005)",
        "run `alembic upgrade head`",
        pending=("0005",),
        build=MERGED,
    ),
    Case("at all heads", {"0002", "0003"}, None, "current", build=BRANCHES),
    Case("at all heads without a ledger", {"0002", "0003"}, {}, "current", build=BRANCHES),
    Case(
        "on one of two branches",
        {"0003"},
        ledger(row(1), row(3)),
        "behind",
        "database 'vegafs' is at 0003; this build needs 0002, 0003 (pending: 0002)",
        "run `alembic upgrade heads`",
        pending=("0002",),
        build=BRANCHES,
    ),
    Case(
        "ahead on one of two branches",
        {"0003", "0004"},
        up_to(3, row(4)),
        "ahead",
        ahead=("0004 (expand)",),
        build=BRANCHES,
    ),
    Case(
        "ahead of both branches by a merge",
        {"0004"},
        up_to(3, row(4)),
        "ahead",
        ahead=("0004 (expand)",),
        build=BRANCHES,
    ),
    Case(
        "ahead on one of two branches, without the other",
        {"0004"},
        ledger(row(1), row(2), row(4)),
        "ahead",
        "database 'vegafs' is at 0004, which this build does not know; its newest revision is "
        "0002, 0003; ahead of it: 0004 (expand)",
        NEWER.format("0004"),
        ahead=("0004 (expand)",),
        build=BRANCHES,
    ),
    Case(
        "on another branch than both",
        {"0004"},
        ledger(row(1), row(4)),
        "diverged",
        "it is at 0004 and lacks 0002, 0003",
        BRANCHED,
        build=BRANCHES,
    ),
    Case(
        "never migrated, with two branches",
        (),
        {},
        "never-migrated",
        "database 'vegafs' was never migrated; this build needs 0002, 0003",
        "run `alembic upgrade heads`",
        pending=("0001", "0002", "0003"),
        build=BRANCHES,
    ),
    Case(
        "never migrated",
        (),
        {},
        "never-migrated",
        "database 'vegafs' was never migrated; this build needs 0004",
        "run `alembic upgrade head`",
        pending=("0001", "0002", "0003", "0004"),
    ),
    Case(
        "ahead by expand revisions",
        {"0006"},
        up_to(4, row(5), row(6)),
        "ahead",
        ahead=("0005 (expand)", "0006 (expand)"),
    ),
    Case(
        "ahead by a contract revision that tolerates this build",
        {"0005"},
        up_to(4, row(5, "contract", "0003")),
        "ahead",
        ahead=("0005 (contract, needs the code of 0003)",),
    ),
    Case(
        "ahead by a contract revision that needs a newer build",
        {"0006"},
        up_to(4, row(5), row(6, "contract", "0005")),
        "ahead",
        "database 'vegafs' is at 0006, which this build does not know; its newest revision is "
        "0004; ahead of it: 0005 (expand), 0006 (contract, needs the code of 0005)",
        NEWER.format("0006"),
        ahead=("0005 (expand)", "0006 (contract, needs the code of 0005)"),
    ),
    Case(
        "ahead by a contract revision that names nobody",
        {"0005"},
        up_to(4, row(5, "contract")),
        "ahead",
        "database 'vegafs' is at 0005, which this build does not know; its newest revision is "
        "0004; ahead of it: 0005 (contract)",
        NEWER.format("0005"),
        ahead=("0005 (contract)",),
    ),
    Case(
        "at a revision that nobody knows",
        {"00ff"},
        up_to(4),
        "diverged",
        "it is at 00ff, which neither this build nor its ledger knows",
        LOST,
    ),
    Case(
        "at a revision that nobody knows, without a ledger",
        {"00ff"},
        {},
        "diverged",
        "it is at 00ff, which neither this build nor its ledger knows",
        LOST,
    ),
    Case(
        "at two heads",
        {"0004", "0005"},
        up_to(4, row(5)),
        "diverged",
        "it is at 0004, 0005",
        BRANCHED,
    ),
    Case(
        "on another branch",
        {"0005"},
        up_to(3, row(5)),
        "diverged",
        "it is at 0005 and lacks 0004",
        BRANCHED,
    ),
    Case(
        "with a revision row too many",
        {"0003", "0004"},
        {},
        "diverged",
        "of its rows 0003, 0004 one builds on another",
        BY_HAND.format("REV"),
    ),
    Case(
        "with an edited revision",
        {"0004"},
        {**up_to(4), "0002": replace(row(2), checksum="f" * 64)},
        "diverged",
        "0002_step_2 changed after it was applied on 2026-08-01 (recorded ffffffff…, "
        "file 22222222…)",
        EDITED,
    ),
    Case(
        "with an edited revision, and ahead",
        {"0005"},
        {**up_to(4, row(5)), "0002": replace(row(2), checksum="f" * 64)},
        "diverged",
        "0002_step_2 changed after it was applied on 2026-08-01 (recorded ffffffff…, "
        "file 22222222…)",
        EDITED,
    ),
    Case(
        "with a revision that was put before an applied one",
        {"0004"},
        ledger(row(1), row(2), row(4)),
        "diverged",
        "0003_step_3 comes before 0004",
    ),
    Case(
        "with a revision table that was set back",
        {"0002"},
        None,
        "diverged",
        "it is at 0002, and the ledger has 0003, 0004 too",
        BY_HAND.format("0004"),
    ),
    Case(
        "ahead, with a revision table that was set back",
        {"0004"},
        up_to(4, row(5), row(6)),
        "diverged",
        "it is at 0004, and the ledger has 0005, 0006 too",
        BY_HAND.format("0006"),
    ),
    Case(
        "with a revision table that was emptied",
        (),
        None,
        "diverged",
        "alembic_version is empty, and the ledger is at 0004",
        BY_HAND.format("0004"),
    ),
)


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_the_verdict_follows_from_the_sets(case: Case) -> None:
    """Sets of ids are compared, never one row; the message is whole, and so is the help."""
    verdict = decide("vegafs", case.build, Glance(frozenset(case.heads), case.recorded))
    assert verdict.state == case.state
    assert verdict.current == (", ".join(sorted(case.heads)) or None)
    assert verdict.expected == case.build.newest
    assert verdict.pending == case.pending
    assert tuple(map(str, verdict.ahead)) == case.ahead
    error = verdict.error
    if case.message is None:
        assert error is None
        return
    assert error is not None
    assert error.exit_code == 1
    told = error.message.removeprefix("database 'vegafs' and this build contradict each other: ")
    assert (told != error.message) == (case.state == "diverged")
    assert told.startswith(case.message) if case.help is None else told == case.message
    assert case.help in (None, error.help)


def test_every_state_but_unreachable_is_in_the_table() -> None:
    """That one is not decided but met."""
    states: Iterable[State] = {case.state for case in CASES}
    assert set(states) == {"current", "ahead", "behind", "never-migrated", "diverged"}
