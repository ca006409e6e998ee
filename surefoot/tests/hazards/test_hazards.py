"""Every rule finds what it is about, and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import asyncpg
import pytest
from _pytest.mark import ParameterSet

from hazards.bench import Bench, found
from hazards.cases import Case, cases
from hazards.disguises import DISGUISES, disguised
from hazards.measure import measured, traced
from surefoot.linting.judging import Linted
from surefoot.rules.registry import RULES

CASES = list(cases())
BAD = [case for case in CASES if case.is_bad]
TRACED = [case for case in BAD if RULES[case.rule].seen == "traced"]
# One of each module of rules, for those who do not run what is slow.
SAMPLE = {
    "avoid-length-limit",
    "avoid-renaming",
    "require-not-valid-foreign-key",
    "avoid-volatile-default",
    "require-validation-apart",
    "require-concurrent-reindex",
    "avoid-truncate",
    "require-lock-timeout",
}
QUICK_DISGUISE, *OTHER_DISGUISES = DISGUISES
GOOD = [case for case in CASES if not case.is_bad]


@pytest.fixture
def case(request: pytest.FixtureRequest, major: int) -> Case:
    """A case, where it is for this PostgreSQL."""
    found: Case = request.param
    if not found.holds(major):
        pytest.skip(f"not for PostgreSQL {major}")
    return found


def every(cases: Sequence[Case], quick: Callable[[Case], bool]) -> pytest.MarkDecorator:
    """A test for each of the cases; those that are not quick are marked as slow."""
    parameters = [
        pytest.param(case, id=case.name, marks=() if quick(case) else pytest.mark.slow)
        for case in cases
    ]
    return pytest.mark.parametrize("case", parameters, indirect=True)


def slow(value: str) -> ParameterSet:
    """The parameter, for those who run what is slow."""
    return pytest.param(value, marks=pytest.mark.slow)


def in_sample(case: Case) -> bool:
    """Whether it is among those that stand for all in a quick run."""
    return case.rule in SAMPLE and case.paths[0].stem in ("bad", "good")


def test_every_rule_has_a_pair() -> None:
    """And every folder is a rule's; those on backfills have their cases in test_linted.py."""
    of_revisions = {rule.id for rule in RULES.values() if rule.seen != "tried"}
    assert {case.rule for case in BAD} == of_revisions
    assert {case.rule for case in GOOD} == of_revisions
    assert all(case.rule in {rule for _, _, rule in case.expected()} for case in BAD)


@pytest.mark.sample(6)
@every(CASES, in_sample)
async def test_a_rule_finds_its_lines_and_nothing_else(bench: Bench, case: Case) -> None:
    """Also in a chain that does the same well."""
    linted = await bench.of(case)
    assert found(linted) == case.expected()
    stopped = "require-complete-trace" in {finding.rule for finding in linted.findings}
    assert (linted.trace.failure is not None) == stopped


@pytest.mark.sample(6)
@every([case for case in CASES if RULES[case.rule].seen == "traced"], in_sample)
async def test_a_trace_says_what_is_measured_by_hand(bench: Bench, case: Case) -> None:
    """The locks, rewrites and scans of every statement are the same."""
    statements = (await bench.of(case)).trace.statements
    said = [traced(statement) for statement in statements if not statement.error]
    try:
        async with bench.clone(rows=True) as database:
            assert await measured(database, statements) == said
    except asyncpg.IntegrityConstraintViolationError:
        async with bench.clone(rows=False) as database:
            assert await measured(database, statements) == said


@pytest.mark.sample(6)
@every(TRACED, in_sample)
@pytest.mark.parametrize("disguise", [QUICK_DISGUISE, *map(slow, OTHER_DISGUISES)])
async def test_a_hazard_is_found_in_disguise(
    bench: Bench, case: Case, disguise: str, tmp_path: Path
) -> None:
    """The rules are the same however the SQL came to be executed."""
    plain = await bench.of(case)
    path = tmp_path / "bad.py"
    path.write_text(disguised(disguise, plain.trace.statements, case.phase), "utf-8")
    linted = await bench.lint([path])
    assert _traced(linted) == _traced(plain)


def _traced(linted: Linted) -> set[str]:
    """The rules that were seen by running it; squawk does not read into a string."""
    return {f.rule for f in linted.findings if RULES[f.rule].seen == "traced"}
