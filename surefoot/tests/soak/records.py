"""Faults of the records: a version table written by hand, stamps, offline SQL, a lost ledger."""

from __future__ import annotations

import asyncio
import re
import signal
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from harness.commands import psql
from harness.databases import execute
from harness.runs import Points
from soak.checks import Wrong, check_in_force
from surefoot.errors import StampRefused

if TYPE_CHECKING:
    from soak.cases import Case

# A stamp comes to about so many.
STAMP_POINTS = 60
BY_HAND = (
    "DELETE FROM alembic_version",
    "UPDATE alembic_version SET version_num = '{}'",
    "INSERT INTO alembic_version VALUES ('{}')",
)
GOES_ON = "\\set ON_ERROR_STOP off\n"
_QUOTE = re.compile(r"\$\w*\$")


async def stamp_refused(case: Case) -> None:
    """Somebody stamps another revision: refused, unless its schema is the same."""
    before, start = await case.state(), case.journey.start
    other = _other(case, least=0)
    fingerprints = case.group.fingerprints
    is_true = fingerprints[other] == fingerprints[start]
    code = 0 if is_true else StampRefused.exit_code
    await case.end(await case.start(*_stamp(case, other)), [code])
    left = await case.state()
    if not is_true:
        _check_unchanged(before == left)
        return
    if left.heads != ((case.group.steps[other - 1].id,) if other else ()):
        raise Wrong(f"stamped {other}, and at {left.heads}")
    check_in_force(left.ledger, case.group.steps[:other])
    await case.end(await case.start(*_stamp(case, start)), [0])


async def stamped(case: Case) -> None:
    """The version table is written by hand; the run is refused, and a true stamp corrects it.

    The command that the refusal names does it as well, where it names the right revision.
    """
    other = case.group.steps[_other(case) - 1].id
    await execute(case.database.url, case.rng.choice(BY_HAND).format(other))
    before = await case.state()
    refused = await case.end(await case.start(), [StampRefused.exit_code])
    _check_unchanged(before == await case.state())
    words = _stamp(case, case.journey.start)
    if f"`surefoot ops adopt {words[-1]} --reason …`" in refused.err and case.rng.random() < 0.4:
        adopt = ("ops", "adopt", words[-1], "--reason", "by hand", "--execute")
        scratch = {"SUREFOOT_TEST_SCRATCH_URL": case.database.url}
        await case.end(await case.start(*adopt, program="surefoot", env=scratch), [0])
        return
    if len(before.heads) > 1 and "--purge" not in words:
        # Beside a row too many it is refused, and names the purge.
        await case.end(await case.start(*words), [StampRefused.exit_code])
        _check_unchanged(before == await case.state())
        words = ("stamp", "--purge", words[-1])
    points = Points(case.rng.randint(1, STAMP_POINTS))
    await case.end(await case.start(*words, points=points), (-signal.SIGKILL, 0))
    if before != await case.state():
        await case.look()
    await case.end(await case.start(*words), [0])


async def offline(case: Case) -> None:
    """A part of the way is done by offline SQL, or by the first statements of it."""
    journey = case.journey
    done = case.rng.randint(1, len(journey.path))
    between = (next(iter(journey.heads(number)), "base") for number in (0, done))
    words = (journey.command[0], ":".join(between), "--sql")
    script = (await case.end(await case.start(*words), [0])).out
    scripts = [script]
    if case.rng.random() < 0.7:
        ends = [found.end() for found in re.finditer(r";\n", script)]
        begun = script[: case.rng.choice([end for end in ends if not _is_quoted(script, end)])]
        # The same script again goes on from there, without a stop at what it did before.
        scripts = [begun, GOES_ON + script] if case.rng.random() < 0.4 else [begun]
    for each in scripts:
        await asyncio.to_thread(psql, case.database, each)
        await case.look()


async def ledger_lost(case: Case) -> None:
    """The table of the ledger is dropped, before the run or after it was killed somewhere."""
    if case.rng.random() < 0.5:
        await case.end(await case.start(points=case.points()), (-signal.SIGKILL, 0))
        await case.look()
    await execute(case.database.url, "DROP TABLE IF EXISTS alembic_version_ledger")
    case.journey = replace(case.journey, ledger_lost=True)
    await case.end(await case.start(points=case.points()), (-signal.SIGKILL, 0))


def _other(case: Case, *, least: int = 1) -> int:
    """The number of a revision that is not the first state's; 0 is base."""
    numbers = range(least, len(case.group.steps) + 1)
    return case.rng.choice([number for number in numbers if number != case.journey.start])


def _stamp(case: Case, number: int) -> tuple[str, ...]:
    purge = ("--purge",) if case.rng.random() < 0.5 else ()
    return "stamp", *purge, case.group.steps[number - 1].id if number else "base"


def _is_quoted(script: str, end: int) -> bool:
    """Whether a dollar quote is open there; one with a name may hold others."""
    return any(count % 2 for count in Counter(_QUOTE.findall(script, 0, end)).values())


def _check_unchanged(is_unchanged: bool) -> None:
    if not is_unchanged:
        raise Wrong("a command that was refused left something")
