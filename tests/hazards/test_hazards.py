"""Every rule finds what it is about, and nothing else."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.hazards.bench import Bench, found
from tests.hazards.cases import Case, cases
from tests.support.databases import Databases
from tests.support.server import temporary_folder

CASES = list(cases())
BAD = [case for case in CASES if case.is_bad]
# What the server does not let pass at all.
STOPS = {"require-step-outside-a-transaction", "require-committed-enum-value"}
GOOD = [case for case in CASES if not case.is_bad]


@pytest.fixture(scope="session")
async def bench(databases: Databases) -> AsyncIterator[Bench]:
    with temporary_folder() as folder:
        yield await Bench.set_up(databases, folder)


@pytest.fixture
def major(request: pytest.FixtureRequest) -> int:
    """The PostgreSQL that the tests run on."""
    return int(request.config.getoption("--pg-major"))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
async def test_a_rule_finds_its_lines_and_nothing_else(
    bench: Bench, case: Case, major: int
) -> None:
    """Also in a chain that does the same well: what it names there is advice."""
    if not case.holds(major):
        pytest.skip(f"not for PostgreSQL {major}")
    linted = await bench.lint(case.paths)
    fails = not STOPS.isdisjoint(rule for _, _, rule in case.expected())
    assert (linted.trace.failure is not None) == fails, linted.trace.failure
    assert found(linted) == case.expected()
