"""A plan measures the cost of undo: it reverts the revisions on a scratch database."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.databases import Database, Databases
from harness.runs import Chain
from harness.table_statistics import statistics_of
from surefoot.chain.revisions import read_revisions
from surefoot.linting.lint import lint
from surefoot.planning.plan import ROWS, Forecast, forecast
from surefoot.planning.statistics import Statistics
from surefoot.planning.text import render
from surefoot.target import Target

TABLE = "CREATE TABLE t (id bigint PRIMARY KEY, n integer, note text)"
FILL = f"{TABLE}; INSERT INTO t SELECT i, i, 'note' FROM generate_series(1, 300000) i; ANALYZE t"


@pytest.fixture(scope="module")
async def now(databases: Databases) -> Statistics:
    """The statistics of a database with rows in its table."""
    return await statistics_of(databases, FILL)


class Planner:
    """Plans for revisions after one that makes the table."""

    def __init__(self, folder: Path, scratch: Database, now: Statistics) -> None:
        self._chain, self._scratch, self._now = Chain(folder), scratch, now
        self._chain.add(f"op.execute({TABLE!r})")
        self.add, self.path = self._chain.add, self._chain.path

    async def plan(self) -> Forecast:
        """The plan of the revisions after the first."""
        revisions = read_revisions(self._chain.versions)
        made = self._scratch.access.engine("migrate")
        target = Target.of(made, self._chain.ini)
        linted = await lint(target, revisions, self._chain.ids[1:], rows=ROWS, back=True)
        await made.dispose()
        return forecast("t", "t", ("0001",), revisions[1:], linted, self._now)


@pytest.fixture
def planner(tmp_path: Path, empty_database: Database, now: Statistics) -> Planner:
    return Planner(tmp_path / "chain", empty_database, now)


ADD = "op.add_column('t', sa.Column('more', sa.Text()))"
CASES = {
    "a default": (
        "op.alter_column('t', 'n', server_default='0')",
        "op.alter_column('t', 'n', server_default=None)",
        "free",
        [],
    ),
    "an index beside its users": (
        "op.create_index_concurrently('ix_t_n', 't', ['n'])",
        "op.drop_index_concurrently('ix_t_n')",
        "free",
        [],
    ),
    "a column that comes": (
        ADD,
        "op.drop_column('t', 'more')",
        "data is lost",
        ["  undo drops the data in t.more"],
    ),
    "a column that goes": (
        "op.drop_column('t', 'note')",
        "op.add_column('t', sa.Column('note', sa.Text()))",
        "data is lost",
        ["  undo does not restore t.note"],
    ),
    "a generated column that comes": (
        "op.execute('ALTER TABLE t ADD thrice bigint GENERATED ALWAYS AS (id * 3) STORED')",
        "op.drop_column('t', 'thrice')",
        "free",
        [],
    ),
    "a table that comes": (
        "op.create_table('u', sa.Column('id', sa.BigInteger(), primary_key=True))",
        "op.drop_table('u')",
        "data is lost",
        ["  undo drops the data in u"],
    ),
    "rows that change": (
        "op.execute('UPDATE t SET n = 0')",
        "pass",
        "data is lost",
        ["  undo does not restore values of t"],
    ),
    "a type that is rewritten": (
        "op.alter_column('t', 'note', type_=sa.String(300))",
        "op.execute('ALTER TABLE t ALTER COLUMN note TYPE text COLLATE \"C\"')\n"
        "op.execute('ALTER TABLE t ALTER COLUMN n TYPE bigint')",
        "takes time",
        [
            '  undo: ALTER TABLE t ALTER COLUMN note TYPE text COLLATE "C"',
            "  undo: ALTER TABLE t ALTER COLUMN n TYPE bigint",
            "    rewrites t",
        ],
    ),
    "one that raises": (
        "op.execute('CREATE VIEW v AS SELECT 1 AS one')",
        "raise NotImplementedError('the former values are not kept')",
        "impossible",
        ["NotImplementedError: the former values are not kept"],
    ),
    "one that fails where there are rows": (
        "op.execute('CREATE VIEW v AS SELECT 1 AS one')",
        "op.add_column('t', sa.Column('must', sa.Text(), nullable=False))",
        "impossible",
        ["(SQLSTATE 23502)"],
    ),
}


# Rewrites take the longest.
SLOW = {"a type that is rewritten", "rows that change", "a default"}
PARAMETERS = [pytest.param(case, marks=pytest.mark.slow if case in SLOW else ()) for case in CASES]


@pytest.mark.slow
@pytest.mark.parametrize("case", PARAMETERS)
async def test_undo_costs_what_going_back_was_seen_to_do(planner: Planner, case: str) -> None:
    """One word in the heading, and below it what is not free."""
    there, back, cost, lines = CASES[case]
    planner.add(there, back)
    shown = render(await planner.plan())
    assert f"1 of 1  0002  Change 0002 (expand; undo: {cost})\n" in shown
    told = [line for line in shown.splitlines() if line.lstrip().startswith("undo")]
    assert bool(told) == bool(lines)
    for line in lines:
        assert line in shown


@pytest.mark.slow
async def test_what_comes_after_cannot_be_passed(planner: Planner) -> None:
    """To go back over a revision is to go back over all that came later, first."""
    planner.add("op.alter_column('t', 'n', server_default='0')", "pass")
    planner.add("op.execute('CREATE VIEW v AS SELECT 1 AS one')", "raise NotImplementedError('no')")
    planner.add("op.execute('CREATE VIEW w AS SELECT 1 AS one')", "op.execute('DROP VIEW w')")
    found = [planned.undo for planned in (await planner.plan()).revisions]
    assert [undo.cost for undo in found] == ["impossible", "impossible", "free"]
    assert found[0].obstacle == "0003 has to be undone first, and cannot be"


async def test_what_has_no_downgrade_cannot_be_passed(planner: Planner) -> None:
    """Nothing is reverted then, so of the revisions after it nothing is known."""
    planner.add("op.alter_column('t', 'n', server_default='0')", "pass")
    path = planner.path(planner.add("op.execute('CREATE VIEW v AS SELECT 1 AS one')"))
    path.write_text(path.read_text().partition("def downgrade")[0])
    planner.add("op.execute('CREATE VIEW w AS SELECT 1 AS one')", "op.execute('DROP VIEW w')")
    found = [planned.undo for planned in (await planner.plan()).revisions]
    assert [undo.cost for undo in found] == ["impossible", "impossible", "unknown"]


@pytest.mark.slow
async def test_what_did_not_run_is_not_tried(planner: Planner) -> None:
    """A revision that fails, and those after it; what came before is."""
    planner.add(ADD, "op.drop_column('t', 'more')")
    planner.add("op.execute('CREATE INDEX ON nowhere (id)')", "pass")
    planner.add("op.execute('CREATE VIEW v AS SELECT 1 AS one')", "op.execute('DROP VIEW v')")
    forecast = await planner.plan()
    assert [p.undo.cost for p in forecast.revisions] == ["data", "unknown", "unknown"]
    document = forecast.as_json()["revisions"][0]["undo"]
    (statement,) = document.pop("statements")
    assert statement["sql"] == "ALTER TABLE t DROP COLUMN more"
    assert document == {
        "cost": "data",
        "not_restored": [],
        "dropped": ["t.more"],
        "obstacle": None,
    }
