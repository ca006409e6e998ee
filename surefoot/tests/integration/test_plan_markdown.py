"""A plan as Markdown is the one that a person has read: docs/ci/comment.md.

SUREFOOT_TEST_GOLDEN=write pytest tests/integration/test_plan_markdown.py

replaces the expected file.
"""

from __future__ import annotations

import os
import re
from dataclasses import replace
from pathlib import Path

import pytest

from harness.databases import Database, Databases
from harness.runs import Chain, Launcher
from harness.server import LIBRARY
from harness.table_statistics import statistics_of
from surefoot.chain.revisions import read_revisions
from surefoot.linting.lint import lint
from surefoot.planning.markdown import LONGEST, markdown
from surefoot.planning.plan import ROWS, Forecast, forecast
from surefoot.planning.statistics import OpenTransaction, Statistics
from surefoot.target import Target

GOLDEN = LIBRARY / "docs" / "ci" / "comment.md"
TABLE = "CREATE TABLE orders (id bigint PRIMARY KEY, state text, note text)"
FILL = (
    f"{TABLE}; INSERT INTO orders SELECT i, 'new', 'note' FROM generate_series(1, 300000) i; "
    "ANALYZE orders"
)
REVISIONS = (
    ('op.create_index("ix_orders_state", "orders", ["state"])', 'op.drop_index("ix_orders_state")'),
    (
        'op.add_column("orders", sa.Column("paid", sa.Boolean()))\n'
        "op.execute(\"COMMENT ON COLUMN orders.paid IS '|`<b>'\")",
        'op.drop_column("orders", "paid")',
    ),
)


@pytest.fixture(scope="module")
async def now(databases: Databases) -> Statistics:
    """The statistics of a database with rows in its table."""
    return await statistics_of(databases, FILL)


@pytest.fixture(scope="module")
async def planned(
    tmp_path_factory: pytest.TempPathFactory, databases: Databases, now: Statistics
) -> Forecast:
    """The plan of an index that blocks writers, and of a column."""
    chain = Chain(tmp_path_factory.mktemp("planned") / "shop")
    (chain.folder / ".git").mkdir()
    chain.add(f"op.execute({TABLE!r})")
    for upgrade, downgrade in REVISIONS:
        chain.add(upgrade, downgrade)
    revisions = read_revisions(chain.versions)
    scratch = await databases.empty()
    made = scratch.access.engine("migrate")
    linted = await lint(Target.of(made, chain.ini), revisions, chain.ids[1:], rows=ROWS, back=True)
    await made.dispose()
    await databases.drop(scratch)
    busy = {name: replace(each, writes_per_s=35.0) for name, each in now.tables.items()}
    waits = replace(now, tables=busy, oldest=OpenTransaction(840.0, "report-worker", 5512))
    return forecast("shop", "shop", ("0001",), revisions[1:], linted, waits)


def settled(text: str) -> str:
    """Without the figures that differ from one run to the next."""
    text = re.sub(r"~[\d.]+ s(?: to [\d.]+ s)?|\ba moment\b", "~N s", text)
    return re.sub(r"[\d.]+ MB", "N MB", text)


@pytest.mark.slow
async def test_a_plan_is_written_as_reviewed(planned: Forecast) -> None:
    """It has for a reviewer: locks, rows, time, who waits, undo, the safe form and the SQL."""
    text = markdown(planned) + "\n"
    if os.environ.get("SUREFOOT_TEST_GOLDEN") == "write":
        GOLDEN.write_text(text, "utf-8")
    assert settled(text) == settled(GOLDEN.read_text("utf-8"))


@pytest.mark.slow
async def test_a_long_plan_fits_in_a_comment(planned: Forecast) -> None:
    """First its SQL is left out, then its last revisions; the next command stays."""
    (index, _) = planned.revisions
    wide = [
        replace(each, statement=replace(each.statement, sql=f"SELECT '{'x' * 20_000}'"))
        for each in index.statements
    ]
    one = replace(planned, revisions=(replace(index, statements=(*wide,)),))
    assert "characters more" in markdown(one)
    assert len(markdown(one)) < LONGEST
    for count, is_cut in ((20, False), (400, True)):
        many = markdown(replace(planned, revisions=(replace(index, statements=(*wide,)),) * count))
        assert len(many) <= LONGEST
        assert "The SQL is left out" in many
        assert ("left out.\n\nThe SQL" in many) == is_cut
        assert many.endswith("Next: `surefoot explain require-concurrent-index`")


@pytest.mark.slow
async def test_the_command_writes_it(tmp_path: Path, empty_database: Database) -> None:
    """On stdout, with the exit code of the findings; also of a lint, and at head."""
    url, launcher, chain = empty_database.url, Launcher(), Chain(tmp_path / "shop")
    (chain.folder / ".git").mkdir()
    chain.add(f"op.execute({TABLE!r})", "op.drop_table('orders')")
    assert (await launcher.alembic(chain, "upgrade", "head", url=url)).code == 0
    at_head = await launcher.surefoot(chain, "plan", "--format", "markdown", url=url)
    assert (at_head.code, at_head.out.splitlines()[2]) == (0, "Nothing to apply.")
    chain.add(*REVISIONS[0])
    found = await launcher.surefoot(chain, "plan", "--format", "markdown", url=url)
    assert found.code == 1
    assert found.out.startswith("### Plan: 1 revision to apply to ")
    assert "**error** `require-concurrent-index` in `" in found.out
    linted = await launcher.surefoot(chain, "lint", "0002", "--format", "markdown", url=url)
    assert linted.code == 1
    assert linted.out.startswith("### Lint: 1 error, 0 warnings\n\n**error** `require-")
    path = chain.path("0002")
    path.write_text(path.read_text("utf-8").replace("ix_orders_state", "ix_orders"), "utf-8")
    stale = await launcher.surefoot(chain, "plan", "--format", "markdown", url=url)
    assert stale.code != 0
    assert "**error** `lock-file-stale` in `alembic/revisions.lock:1`" in stale.out
