"""A downgrade is judged as a downgrade: by the work that others wait for, not by its phase."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.databases import engine
from hazards.bench import FILE, Bench
from surefoot.chain.revisions import read_revisions
from surefoot.linting.lint import lint

# The statement of the upgrade, that of the downgrade, and the rule that the downgrade breaks.
CASES = [
    # It is the last that is run: those of older revisions are not.
    ("SELECT 1", "ALTER TABLE jobs DROP COLUMN nothing", "require-complete-trace"),
    ("SELECT 1", "ALTER TABLE jobs DROP COLUMN note", "avoid-dropping-a-column"),
    ("SELECT 1", "DROP TABLE cache", "avoid-dropping-a-table"),
    ("ALTER TABLE jobs DROP COLUMN rank", "ALTER TABLE jobs ADD COLUMN rank integer", None),
    ("ALTER TABLE jobs ADD COLUMN n integer", "ALTER TABLE jobs DROP COLUMN n", None),
    (
        "CREATE OR REPLACE VIEW running AS SELECT id, size_bytes, note FROM jobs",
        "DROP VIEW running; CREATE VIEW running AS SELECT id, size_bytes FROM jobs",
        None,
    ),
    (
        "CREATE OR REPLACE VIEW running AS SELECT id, size_bytes, note FROM jobs",
        "DROP VIEW running; CREATE VIEW running AS SELECT size_bytes FROM jobs",
        "avoid-dropping-a-table",
    ),
    ("SELECT 1", "DROP FUNCTION area(integer, integer)", "avoid-dropping-an-object"),
    ("CREATE FUNCTION one() RETURNS integer LANGUAGE sql RETURN 1", "DROP FUNCTION one()", None),
    ("SELECT 1", "TRUNCATE tags", "avoid-truncate"),
    (
        "ALTER TABLE jobs ALTER COLUMN price TYPE numeric(12, 2)",
        "ALTER TABLE jobs ALTER COLUMN price TYPE numeric(10, 2)",
        "avoid-type-change",
    ),
    (
        "ALTER TABLE jobs ALTER COLUMN code DROP NOT NULL",
        "ALTER TABLE jobs ALTER COLUMN code SET NOT NULL",
        "require-proven-not-null",
    ),
    (
        "DROP INDEX ix_jobs_ref",
        "CREATE INDEX ix_jobs_ref ON jobs (ref)",
        "require-concurrent-index",
    ),
    (
        "DROP INDEX ix_results_job_id",
        "CREATE INDEX ix_results_job_id ON results (job_id)",
        "require-concurrent-index",
    ),
    ("CREATE INDEX ix_results_new ON results (job_id)", "DROP INDEX ix_results_new", None),
]


@pytest.mark.slow
async def test_the_work_of_a_downgrade_is_advice(bench: Bench, tmp_path: Path) -> None:
    """It names the downgrade, and the statement of it; what the upgrade made may go."""
    paths = []
    for number, (up, down, _) in enumerate(CASES, start=1):
        text = FILE.format(number=number, former=number - 1, body=f"    op.execute({up!r})\n")
        raises = next(line for line in text.splitlines() if "raise" in line)
        paths.append(tmp_path / f"{number}.py")
        text = text.replace(raises, f"    op.execute({down!r})").replace("expand", "contract")
        paths[-1].write_text(text, "utf-8")
    chain = bench.chain(paths)
    revisions = read_revisions(chain.versions)
    wanted = {each.id for each in revisions if each.down}
    async with bench.clone(rows=False) as database, engine(database.access, "migrate") as made:
        linted = await lint(bench.target(made, chain), revisions, wanted, downgrades=True)
    assert linted.trace.back is not None
    assert linted.trace.back.stopped_at == "0001"
    found = [f for f in linted.findings if f.consequence.startswith("in the downgrade, ")]
    assert [(f.revision, f.rule, f.level) for f in found] == [
        (f"{number:04}", rule, "warning") for number, (*_, rule) in enumerate(CASES, 1) if rule
    ]
    lines = [paths[int(f.revision) - 1].read_text("utf-8").splitlines()[f.line - 1] for f in found]
    assert lines == [f"    op.execute({down!r})" for _, down, rule in CASES if rule]


@pytest.mark.slow
async def test_what_a_downgrade_leaves_is_found(bench: Bench, tmp_path: Path) -> None:
    """The next upgrade would fail, unless it asks whether that is there."""
    made = (
        "CREATE TYPE tone AS ENUM ('A')",
        "CREATE TABLE IF NOT EXISTS sheets (tone tone)",
        "ALTER TABLE cache ADD COLUMN hits integer",
        "CREATE TABLE pages (id bigint GENERATED ALWAYS AS IDENTITY)",
        "CREATE TABLE parts (id bigint) PARTITION BY LIST (id)",
        "CREATE TABLE parts_1 PARTITION OF parts FOR VALUES IN (1)",
    )
    body = "".join(f"    op.execute({each!r})\n" for each in made)
    text = FILE.format(number=1, former=0, body=body)
    raises = next(line for line in text.splitlines() if "raise" in line)
    (tmp_path / "1.py").write_text(text.replace(raises, '    op.execute("DROP TABLE parts")'))
    chain = bench.chain([tmp_path / "1.py"])
    revisions = read_revisions(chain.versions)
    async with bench.clone(rows=False) as database, engine(database.access, "migrate") as made_:
        linted = await lint(bench.target(made_, chain), revisions, {"0001"}, downgrades=True)
    found = [f.consequence.split()[3] for f in linted.findings if f.rule == "require-downgrade"]
    assert found == ["tone", "cache.hits", "pages"]


async def test_a_revision_that_ends_other_sessions_is_judged(bench: Bench, tmp_path: Path) -> None:
    """Those that watch it are among them; nobody follows the downgrade then."""
    ends = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
    ends += " AND datname = current_database()"
    path = tmp_path / "1.py"
    path.write_text(FILE.format(number=1, former=0, body=f"    op.execute({ends!r})\n"), "utf-8")
    chain = bench.chain([path])
    revisions = read_revisions(chain.versions)
    async with bench.clone(rows=False) as database, engine(database.access, "migrate") as made:
        linted = await lint(bench.target(made, chain), revisions, {"0001"}, downgrades=True)
    assert "avoid-work-out-of-sight" in {f.rule for f in linted.findings}
    assert linted.trace.back is None
