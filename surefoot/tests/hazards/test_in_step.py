"""Lint has no finding for columns kept in step, if the trigger is dropped before them."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from hazards.bench import FILE, Bench

KEPT = """
op.add_column("jobs", sa.Column("rank_new", sa.BigInteger()))
op.keep_in_step("jobs", "rank", "rank_new", forward="CASE WHEN rank > 0 THEN rank ELSE 0 END")
"""
STOPPED = 'op.stop_keeping_in_step("jobs", "rank", "rank_new")\n'
FILLED = "op.execute('UPDATE jobs SET rank_new = greatest(rank, 0) WHERE id = 1')\n"
SWAPPED = """
op.drop_column("jobs", "rank")
op.alter_column("jobs", "rank_new", new_column_name="rank")
"""
RENAMED = 'op.alter_column("jobs", "rank_new", new_column_name="rank_wide")'


async def found(bench: Bench, folder: Path, *bodies: str) -> set[tuple[str, str]]:
    """The findings of level error and those of gaps, with their revisions; all have a way back."""
    paths = []
    for number, body in enumerate(bodies, start=1):
        phase = "contract" if SWAPPED in body else "expand"
        text = FILE.format(number=number, former=number - 1, body=textwrap.indent(body, "    "))
        paths.append(folder / f"{number}.py")
        paths[-1].write_text(text.replace('"expand"', f'"{phase}"'), "utf-8")
    result = await bench.lint(paths)
    assert result.trace.failure is None
    return {(f.path.name[-4:-3], f.rule) for f in result.findings if f.rule != "require-downgrade"}


@pytest.mark.slow
async def test_two_columns_in_step_break_no_rule(bench: Bench, tmp_path: Path) -> None:
    """From the first revision to the last, with rows changed between them."""
    assert await found(bench, tmp_path, KEPT, FILLED, STOPPED + SWAPPED) == set()


@pytest.mark.sample(2)
@pytest.mark.parametrize(
    ("bodies", "expected"),
    [
        ((KEPT, STOPPED), ("2", "avoid-dropping-an-object")),
        ((KEPT, RENAMED), ("2", "avoid-breaking-a-function")),
    ],
    ids=["the running release", "a column renamed under it"],
)
async def test_who_still_needs_it_is_named(
    bench: Bench, tmp_path: Path, bodies: tuple[str, ...], expected: tuple[str, str]
) -> None:
    """The release that runs relies on the trigger; the trigger relies on its columns."""
    assert expected in await found(bench, tmp_path, *bodies)
