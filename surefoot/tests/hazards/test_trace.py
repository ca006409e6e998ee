"""A trace meets locks that are not to be had, rows that are in the way."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.databases import WAITING, Databases, connect, engine
from hazards.bench import FILE, FIRST, Bench
from hazards.cases import cases
from surefoot import Limits
from surefoot.chain import source
from surefoot.chain.revisions import read_revisions
from surefoot.linting import chain_lint
from surefoot.linting.lint import lint
from surefoot.project import Project
from surefoot.rules.registry import RULES
from surefoot.trace.session import TracedSession

# A revision each, in one chain.
HARMLESS = (
    ["CREATE TRIGGER touch_jobs BEFORE UPDATE ON jobs FOR EACH ROW EXECUTE FUNCTION touch()"],
    [
        "ALTER TABLE jobs DISABLE TRIGGER touch_jobs",
        "ALTER TABLE jobs ENABLE TRIGGER touch_jobs",
    ],
    ["ALTER TABLE jobs ENABLE ROW LEVEL SECURITY", "CREATE POLICY p ON jobs USING (true)"],
    ["ALTER TABLE jobs OWNER TO CURRENT_USER", "GRANT SELECT ON jobs TO PUBLIC"],
    ["CREATE RULE r AS ON DELETE TO cache DO ALSO NOTHING", "DROP RULE r ON cache"],
    ["ALTER TABLE jobs ALTER COLUMN rank SET DEFAULT 1", "COMMENT ON COLUMN jobs.rank IS 'x'"],
    ["ALTER TABLE jobs ALTER COLUMN note DROP NOT NULL"],
    ["ALTER TABLE jobs ADD COLUMN a integer NOT NULL DEFAULT 7"],
    ["ALTER TABLE jobs ADD COLUMN b timestamptz NOT NULL DEFAULT now()"],
    [
        "ALTER TABLE jobs ALTER COLUMN note TYPE varchar(200)",
        "ALTER TABLE jobs ALTER COLUMN price TYPE numeric(14, 2)",
    ],
    ["ALTER INDEX ix_jobs_rank RENAME TO jobs_by_rank"],
    ["ALTER TABLE jobs RENAME CONSTRAINT ck_jobs_code TO code_known"],
    ["ALTER TABLE jobs ALTER COLUMN rank SET STATISTICS 500", "ANALYZE jobs"],
    ["CREATE STATISTICS s (dependencies) ON rank, ref FROM jobs"],
    ["CREATE OR REPLACE VIEW running AS SELECT id, size_bytes, rank FROM jobs"],
    ["CREATE MATERIALIZED VIEW kinds AS SELECT DISTINCT kind FROM tags"],
    ["CREATE TYPE colour AS ENUM ('RED')", "ALTER TABLE tags ADD COLUMN colour colour"],
    ["ALTER TYPE colour ADD VALUE 'BLUE' BEFORE 'RED'"],
    [
        "CREATE OR REPLACE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql "
        "AS 'BEGIN RETURN new; END'"
    ],
    ["INSERT INTO cache SELECT 'key ' || n, 'value ' || n FROM generate_series(1, 9) n"],
    ["UPDATE cache SET value = 'x' WHERE key = 'key 1'", "DELETE FROM cache WHERE key = 'key 2'"],
    ["ALTER TABLE events ADD COLUMN c integer DEFAULT 1", "ALTER TABLE events DROP COLUMN c"],
    [
        "CREATE TABLE made (id bigint PRIMARY KEY, n integer, at timestamptz)",
        "INSERT INTO made SELECT n, n FROM generate_series(1, 99) n",
        "UPDATE made SET n = n + 1",
        "CREATE INDEX ON made (n)",
        "ALTER TABLE made ALTER COLUMN n TYPE bigint, ALTER COLUMN n SET NOT NULL",
        "ALTER TABLE made ADD CHECK (n > 0)",
        "ALTER TABLE made RENAME COLUMN n TO m",
        "ALTER TABLE made DROP COLUMN at",
        "TRUNCATE made",
        "CREATE TABLE refers (id bigint PRIMARY KEY REFERENCES made)",
        "DROP TABLE made, refers",
    ],
    [
        "CREATE TABLE parts (id bigint, PRIMARY KEY (id)) PARTITION BY RANGE (id)",
        "CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (1) TO (9)",
        "CREATE INDEX ON parts (id)",
        "ALTER TABLE parts DETACH PARTITION parts_1",
        "ALTER TABLE parts ATTACH PARTITION parts_1 FOR VALUES FROM (1) TO (9)",
    ],
)


@pytest.fixture
def revision(tmp_path: Path) -> Path:
    return tmp_path / "0001_change.py"


def write(path: Path, *sql: str, number: int = 1) -> None:
    """A revision that executes the statements."""
    body = "".join(f"    op.execute({each!r})\n" for each in sql)
    text = FILE.format(body=body, number=number, former=number - 1)
    path.write_text(text, "utf-8")


@pytest.mark.slow
async def test_a_revision_that_was_repeated_is_traced_once(bench: Bench, revision: Path) -> None:
    """Its first attempt did not get a lock, and left nothing."""
    write(revision, "CREATE TABLE t (id bigint)", "ALTER TABLE jobs ADD COLUMN n text")
    chain = bench.chain([revision])
    async with bench.clone(rows=False) as database:
        settings = replace(database.access, limits=Limits(lock_timeout_s=0.2))
        blocker, looker = await connect(database.url), await connect(database.url)
        await blocker.execute("BEGIN; LOCK TABLE jobs IN ACCESS SHARE MODE")
        async with engine(settings, "migrate") as made:
            target = bench.target(made, chain)
            running = asyncio.ensure_future(lint(target, read_revisions(chain.versions), ["0001"]))
            while not await looker.fetchval(f"SELECT count(*) FROM {WAITING}"):
                await asyncio.sleep(0.01)
            await asyncio.sleep(0.4)
            await blocker.close()
            await looker.close()
            linted = await running
    assert [s.sql.split()[0] for s in linted.trace.statements] == ["CREATE", "ALTER"]
    assert [s.number for s in linted.trace.statements] == [1, 2]
    assert not any(s.error for s in linted.trace.statements)


async def test_what_a_revision_reads_and_writes_is_its_own(bench: Bench, tmp_path: Path) -> None:
    """The server counts for the session; a revision begins at none, a statement at the last."""
    paths = [tmp_path / f"{number}.py" for number in (1, 2)]
    write(paths[0], "UPDATE tags SET kind = 'x'", number=1)
    write(
        paths[1],
        "DELETE FROM tags WHERE job_id = 1",
        "UPDATE tags SET kind = 'y' WHERE job_id = 2",
        number=2,
    )
    linted = await bench.lint(paths)
    found = [
        (work.updated, work.deleted)
        for s in linted.trace.statements
        for work in s.activity.values()
    ]
    assert found == [(1000, 0), (0, 1), (1, 0)]


@pytest.mark.slow
async def test_queries_of_the_library_are_not_traced(bench: Bench, tmp_path: Path) -> None:
    """An operation looks its index up; a query of the revision itself is a statement of it."""
    paths = [tmp_path / "1.py", tmp_path / "2.py"]
    query = "SELECT count(*) FROM tags"
    write(paths[0], query)
    body = "    op.create_index_concurrently('ix_tags_kind', 'tags', ['kind'])\n"
    paths[1].write_text(FILE.format(body=body, number=2, former=1), "utf-8")
    linted = await bench.lint(paths)
    assert [s.sql for s in linted.trace.statements] == [
        query,
        "CREATE INDEX CONCURRENTLY ix_tags_kind ON tags (kind)",
    ]


@pytest.mark.slow
async def test_a_statement_that_takes_long_is_judged(bench: Bench, revision: Path) -> None:
    """The run watches it from a second connection, whose questions are not the revision's."""
    write(
        revision,
        "DO $$ BEGIN ALTER TABLE jobs DROP COLUMN note; PERFORM pg_sleep(1); END $$",
        "ALTER TABLE jobs DROP COLUMN rank",
    )
    linted = await bench.lint([revision])
    assert linted.trace.failure is None
    assert [s.number for s in linted.trace.statements] == [1, 2]
    assert [f.rule for f in linted.findings] == ["avoid-dropping-a-column"] * 2


@pytest.mark.slow
async def test_what_ran_before_a_failure_is_judged(bench: Bench, revision: Path) -> None:
    """A revision that fails is a failure of the trace, and its statements are there."""
    write(revision, "ALTER TABLE jobs DROP COLUMN note", "SELECT nonsense")
    linted = await bench.lint([revision])
    dropped, stopped = linted.findings
    assert (dropped.rule, stopped.rule) == ("avoid-dropping-a-column", "require-complete-trace")
    assert (stopped.line, "42703" in stopped.consequence) == (FIRST + 1, True)
    assert linted.trace.failure is not None
    assert linted.trace.failure.code == "run-failed"
    assert [s.error for s in linted.trace.statements] == [None, "42703"]


@pytest.mark.slow
async def test_rows_in_the_way_do_not_hide_what_follows(bench: Bench, revision: Path) -> None:
    """Rows were made up; a revision that they stop is run once more without them."""
    write(
        revision,
        "CREATE UNIQUE INDEX ux_jobs_status ON jobs (status)",
        "ALTER TABLE jobs ALTER COLUMN rank TYPE bigint",
    )
    linted = await bench.lint([revision])
    assert linted.trace.failure is None
    assert [f.rule for f in linted.findings] == ["require-concurrent-index", "avoid-type-change"]


@pytest.mark.slow
async def test_a_temporary_table_is_nobodys(bench: Bench, revision: Path) -> None:
    """No other session sees the change."""
    write(
        revision,
        "CREATE TEMPORARY TABLE found (id integer PRIMARY KEY, at timestamp)",
        "INSERT INTO found SELECT n FROM generate_series(1, 9) n",
        "UPDATE found SET id = id + 10",
        "DROP TABLE found",
    )
    linted = await bench.lint([revision])
    assert linted.findings == ()
    assert linted.trace.failure is None


NAMED = """
SET search_path = app, public;
CREATE TYPE public.kind AS ENUM ('a');
CREATE DOMAIN public.short AS text CHECK (length(value) < 9);
CREATE TABLE public.jobs (id integer PRIMARY KEY, kind kind DEFAULT 'a', short short);
ALTER TABLE jobs ADD CONSTRAINT known CHECK (kind <> 'a'::kind)
"""
# Of one transaction, in which `app` is searched before `public`.
RENAMING = (
    "CREATE TYPE public.size AS ENUM ('a')",
    "ALTER TABLE jobs ADD COLUMN size size",
    "CREATE SCHEMA app",
    "CREATE TYPE app.kind AS ENUM ('b')",
    "DROP TYPE app.kind",
    "ALTER TYPE kind RENAME TO sort",
    "CREATE TYPE app.other AS ENUM ('b')",
    "ALTER DOMAIN short RENAME TO shorter",
    "DROP DOMAIN shorter CASCADE",
)


@pytest.mark.slow
async def test_what_was_not_written_has_its_names_of_now(databases: Databases) -> None:
    """A Snapshot after a former one is as one without, whatever happened to types and schemas."""
    connection = await connect((await databases.empty()).url)
    await connection.execute(NAMED)
    await connection.execute("BEGIN")
    session = TracedSession(connection)
    found, types = await session.snapshot(), list[str]()
    for statement in RENAMING:
        await connection.execute(statement)
        found = await session.snapshot(found)
        whole = await TracedSession(connection).snapshot()
        assert replace(found, activity={}) == replace(whole, activity={})
        types += [c.type for c in found.columns.values() if c.name == "kind"]
    assert [*dict.fromkeys(types)] == ["kind", "public.kind", "sort"]
    await connection.close()


@pytest.mark.slow
async def test_the_runs_of_a_trace_read_the_files_once(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The upgrade to the revision before, that of the revision, and its downgrade."""
    chain = bench.chain([])
    chain.add('op.execute("ALTER TABLE jobs ADD COLUMN more integer")', "pass")
    read, codes = list[object](), source.source_paths

    def reading(*folders: Path, **options: Any) -> list[str]:
        read.append(folders)
        return codes(*folders, **options)

    project = Project.read(chain.ini)
    revision = project.revisions()[-1].id
    monkeypatch.setattr(source, "source_paths", reading)
    async with bench.clone(rows=False) as database:
        tried_on = replace(database.access, scratch_url=database.url)
        linted = await chain_lint.lint(project, tried_on, [revision], downgrades=True)
    assert linted.trace.failure is None
    assert linted.trace.back is not None
    # By lint, and by all runs of it.
    assert len(read) == 2


@pytest.mark.slow
async def test_several_hazards_of_one_block_are_all_found(bench: Bench, revision: Path) -> None:
    """A DO block is one statement, whatever it does."""
    write(
        revision,
        "DO $$ BEGIN ALTER TABLE jobs DROP COLUMN note; CREATE INDEX ON tags (label); "
        "ALTER TABLE events_2026 ALTER COLUMN job_id TYPE numeric; TRUNCATE cache; END $$",
    )
    linted = await bench.lint([revision])
    assert {f.rule for f in linted.findings} == {
        "avoid-dropping-a-column",
        "require-concurrent-index",
        "avoid-type-change",
        "avoid-truncate",
    }


@pytest.mark.slow
async def test_what_is_harmless_is_not_found(bench: Bench, tmp_path: Path) -> None:
    """Short locks, changes of the catalog alone, and whatever is done to what is new."""
    paths = []
    for number, statements in enumerate(HARMLESS, start=1):
        paths.append(tmp_path / f"{number}.py")
        write(paths[-1], *statements, number=number)
    linted = await bench.lint(paths)
    assert linted.trace.failure is None
    found = [f.render() for f in linted.findings if RULES[f.rule].seen != "squawk"]
    assert found == []
    assert len(linted.trace.statements) == sum(map(len, HARMLESS))


@pytest.mark.slow
async def test_the_second_half_of_detaching_a_partition_is_seen(bench: Bench) -> None:
    """It locks the partition's readers out, once everybody who began before has ended."""
    (good,) = (case for case in cases() if case.name == "require-concurrent-detach/good")
    (detach,) = (await bench.of(good)).trace.statements
    assert detach.locks == {"events": "SHARE UPDATE EXCLUSIVE", "events_2020": "ACCESS EXCLUSIVE"}
    assert not detach.transactional


@pytest.mark.slow
async def test_the_revisions_before_are_run_in_the_same_time_zone(
    bench: Bench, tmp_path: Path
) -> None:
    """The bounds of the partitions of one follow those of another."""
    part = "CREATE TABLE {0} PARTITION OF days FOR VALUES FROM ('{1}') TO ('{2}')"
    paths = [tmp_path / "1.py", tmp_path / "2.py"]
    write(
        paths[0],
        "CREATE TABLE days (at timestamptz) PARTITION BY RANGE (at)",
        part.format("days_25", "2025-01-01", "2026-01-01"),
    )
    write(paths[1], part.format("days_26", "2026-01-01", "2027-01-01"), number=2)
    chain = bench.chain(paths)
    async with bench.clone(rows=False) as database, engine(database.access, "migrate") as made:
        linted = await lint(bench.target(made, chain), read_revisions(chain.versions), ["0002"])
    assert linted.trace.failure is None


@pytest.mark.slow
async def test_each_statement_of_a_text_is_traced(bench: Bench, tmp_path: Path) -> None:
    """Also one whose values are sent as literals; what was only tried, or not sent, is none."""
    body = (
        "    run = lambda sql, **values: op.get_bind().execute(sa.text(sql), values)\n"
        "    op.execute('CREATE TABLE t (d date, m jsonb); UPDATE tags SET kind = kind')\n"
        "    run('INSERT INTO t (d) VALUES (:d)', d='2020-01-02')\n"
        "    run('INSERT INTO t (d) VALUES (CAST(:d AS date))', d='2020-01-02')\n"
        "    run('SELECT :n IS NULL', n=None)\n"
        "    op.get_bind().connection.cursor().execute('DROP TABLE t; SELECT 1')\n"
    )
    text = FILE.format(body=body, number=1, former=0)
    (tmp_path / "1.py").write_text(
        text.replace("from alembic", "import sqlalchemy as sa\nfrom alembic", 1)
    )
    linted = await bench.lint([tmp_path / "1.py"])
    assert [s.sql for s in linted.trace.statements] == [
        "CREATE TABLE t (d date, m jsonb)",
        "UPDATE tags SET kind = kind",
        "INSERT INTO t (d) VALUES ('2020-01-02')",
        "INSERT INTO t (d) VALUES (CAST('2020-01-02' AS date))",
        "SELECT NULL IS NULL",
        "DROP TABLE t",
        "SELECT 1",
    ]
    assert not any(s.error for s in linted.trace.statements)
