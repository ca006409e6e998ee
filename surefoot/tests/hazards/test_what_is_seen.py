"""A trace sees every statement of a revision, however it is sent, or says what it has not seen."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from pathlib import Path

import pytest

from harness.databases import Database, engine
from harness.runs import Chain
from harness.server import PG_MAJOR
from hazards.bench import FILE, FIRST, Bench, found
from surefoot.chain.revisions import read_revisions
from surefoot.linting.judging import Linted
from surefoot.linting.lint import lint
from surefoot.planning.statements import planned
from surefoot.planning.statistics import Statistics
from surefoot.rules.findings import measured
from surefoot.rules.unseen_lines import unmade, unseen
from surefoot.target import Target
from surefoot.trace.lock_modes import blocked

AE, SUE = "ACCESS EXCLUSIVE", "SHARE UPDATE EXCLUSIVE"

# Each sends TRUNCATE, in the line that is marked.
WAYS: Mapping[str, str] = {
    "a comment with the name of the version table": """
        op.execute("TRUNCATE cache /* alembic_version */")  #
    """,
    "a cursor": """
        cursor = op.get_bind().connection.cursor()
        cursor.execute("TRUNCATE cache")  #
    """,
    "a function that awaits the engine's connection": """
        async def work(connection):
            await connection.execute(sa.text("TRUNCATE cache"))  #
        op.run_async(work)
    """,
    "the driver": """
        async def work(connection):
            driver = (await connection.get_raw_connection()).driver_connection
            await driver.execute("TRUNCATE cache")  #
        op.run_async(work)
    """,
    "a statement that the driver prepares": """
        async def work(connection):
            driver = (await connection.get_raw_connection()).driver_connection
            statement = await driver.prepare("TRUNCATE cache")
            await statement.fetch()  #
        op.run_async(work)
    """,
    "a function that the driver is called from": """
        driver = op.get_bind().connection.driver_connection
        op.get_bind().connection.run_async(lambda driver: driver.execute("TRUNCATE cache"))  #
    """,
}
# Statements that the tracer has, in their order.
SENT: Mapping[str, tuple[str, list[str]]] = {
    "many parameters": (
        'await driver.executemany("INSERT INTO cache VALUES ($1, $1)", [("a",), ("b",)])',
        ["INSERT INTO cache VALUES ($1, $1)"],
    ),
    "records": (
        'await driver.copy_records_to_table("cache", records=[("c",)], columns=["key"])',
        ['COPY "cache"("key") FROM STDIN (FORMAT binary)'],
    ),
    "a cursor of the driver": (
        'async for row in driver.cursor("SELECT key FROM cache"):\n        row["key"]',
        ["SELECT key FROM cache"],
    ),
}


def body(number: int, text: str) -> str:
    indented = textwrap.indent(textwrap.dedent(text).strip() + "\n", "    ")
    return FILE.format(number=number, former=number - 1, body=indented)


async def linted(bench: Bench, folder: Path, *texts: str) -> Linted:
    """The findings in a chain of revisions with these bodies."""
    paths = []
    for number, text in enumerate(texts, start=1):
        paths.append(folder / f"{number}.py")
        paths[-1].write_text(body(number, text), "utf-8")
    return await bench.lint(paths)


@pytest.mark.slow
async def test_a_statement_is_seen_in_its_line_however_it_is_sent(
    bench: Bench, tmp_path: Path
) -> None:
    """By operations, raw cursors, coroutines and the driver itself."""
    result = await linted(bench, tmp_path, *WAYS.values())
    assert result.trace.failure is None
    marked = [body(n, text).splitlines() for n, text in enumerate(WAYS.values(), start=1)]
    lines = [next(n for n, line in enumerate(m, 1) if line.endswith("#")) for m in marked]
    assert {f for f in found(result) if f[2] != "require-downgrade"} == {
        (f"{number}.py", line, "avoid-truncate") for number, line in enumerate(lines, start=1)
    }


@pytest.mark.slow
async def test_every_message_of_the_driver_is_a_statement(bench: Bench, tmp_path: Path) -> None:
    """Also those that have no text of their own, and those of a coroutine."""
    work = (
        "async def work(connection):\n"
        "    driver = (await connection.get_raw_connection()).driver_connection\n"
        "    {}\n"
        "op.run_async(work)\n"
    )
    result = await linted(bench, tmp_path, *(work.format(call) for call, _ in SENT.values()))
    assert result.trace.failure is None
    for number, (_, expected) in enumerate(SENT.values(), start=1):
        sent = [s.sql for s in result.trace.statements if s.revision == f"{number:04}"]
        assert list(dict.fromkeys(sent)) == expected
    rows = [s.activity["cache"].inserted for s in result.trace.statements if s.activity]
    assert rows[:2] == [2, 1]


@pytest.mark.slow
async def test_a_loop_is_measured_without_a_look_at_each_row(bench: Bench, tmp_path: Path) -> None:
    """The statements after the first hundred are one, with all that they do."""
    result = await linted(
        bench,
        tmp_path,
        """
        for number in range(300):
            op.get_bind().scalar(sa.text("SELECT count(*) FROM cache"))
            op.execute(f"UPDATE tags SET kind = 'x' WHERE job_id = {number}")
        op.execute("ALTER TABLE jobs ADD COLUMN number integer")
        """,
    )
    assert result.trace.failure is None
    *_, many, last = result.trace.statements
    assert (many.line, many.times, last.line) == (FIRST + 2, 400, FIRST + 3)
    assert many.sql.startswith("UPDATE tags")
    assert len(result.trace.statements) == 202
    updated = [s.activity["tags"].updated for s in result.trace.statements if "tags" in s.activity]
    assert (sum(updated[:-1]), updated[-1]) == (99, 200)
    assert last.seconds < many.seconds


@pytest.mark.slow
async def test_a_revision_that_never_ends_is_stopped(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether it sends statements for ever, runs, or sleeps."""
    monkeypatch.setattr("surefoot.trace.tracer.REVISION_S", 0.3)
    monkeypatch.setattr("surefoot.trace.executed_lines.ALARM_S", 0.4)
    for forever in ("pass", "op.execute('SELECT 1')", "time.sleep(1000)"):
        result = await linted(bench, tmp_path, f"while True:\n    {forever}")
        (stopped,) = (f for f in result.findings if f.rule == "require-complete-trace")
        assert "takes too long on the scratch database" in stopped.consequence


@pytest.mark.slow
async def test_a_revision_that_is_refused_says_why(bench: Bench, tmp_path: Path) -> None:
    """A refusal on the scratch database is the reason in the finding."""
    block = "with op.get_context().autocommit_block():\n    op.execute('SELECT 1')"
    result = await linted(bench, tmp_path, block)
    (stopped,) = (f for f in result.findings if f.rule == "require-complete-trace")
    assert "unseen: 0001 ends its transaction by itself" in stopped.consequence
    assert "for an index use op.create_index_concurrently(…)" in stopped.consequence


@pytest.mark.slow
async def test_revisions_before_one_that_is_refused_are_tried(bench: Bench, tmp_path: Path) -> None:
    """The refusal hides what is behind it, and nothing else."""
    block = "with op.get_context().autocommit_block():\n    op.execute('SELECT 1')"
    truncate = "op.execute('TRUNCATE results')"
    result = await linted(bench, tmp_path, truncate, block, truncate)
    assert [unit.complete for unit in result.units] == [True, False, False]
    assert result.behind == {"0003": "0002"}
    found = [(f.revision, f.rule) for f in result.findings if f.rule != "require-downgrade"]
    assert found == [
        ("0001", "avoid-truncate"),
        ("0002", "require-complete-trace"),
        ("0003", "require-complete-trace"),
    ]


@pytest.mark.slow
@pytest.mark.parametrize("error", ["22P02", "23503"])
async def test_a_revision_that_fails_with_rows_and_without_is_run_twice(
    bench: Bench, tmp_path: Path, error: str
) -> None:
    """Once with sample rows and once without; it ends."""
    sql = {
        "22P02": "SELECT 'x'::integer",
        "23503": "INSERT INTO results (job_id) VALUES (-42)",
    }[error]
    result = await linted(bench, tmp_path, f'op.execute("{sql}")', 'op.execute("SELECT 1")')
    assert [s.error for s in result.trace.statements] == [error]
    consequences = [f.consequence for f in result.findings if f.rule == "require-complete-trace"]
    assert [error in text for text in consequences] == [True, False]
    assert consequences[1].endswith("0001 before it was not")


@pytest.mark.slow
async def test_through_a_link_lines_are_seen_as_well(bench: Bench, tmp_path: Path) -> None:
    """The folder of a project may be reached by another name."""
    chain = bench.chain([])
    link = tmp_path / "link"
    link.symlink_to(chain.folder)
    (chain.versions / "0001_x.py").write_text(body(1, 'op.execute("TRUNCATE cache")'), "utf-8")
    chain.lock()
    chain.folder = link
    async with bench.clone(rows=False) as database:
        made = database.access.engine("migrate")
        revisions = read_revisions(link / "alembic" / "versions")
        result = await lint(bench.target(made, chain), revisions, ["0001"], major=14)
        await made.dispose()
    assert result.mismatch is not None
    assert result.mismatch.endswith(
        "and the database has 14: syntax, locks and rewrites may differ"
    )
    assert [(f.rule, f.line) for f in result.findings] == [("avoid-truncate", FIRST)]
    assert result.trace.lines["0001"] == {FIRST}


@pytest.mark.slow
async def test_lines_that_did_not_run_are_named(bench: Bench, tmp_path: Path) -> None:
    """Lines without a call, a `raise` and the downgrade are not reported."""
    result = await linted(
        bench,
        tmp_path,
        """
        for row in op.get_bind().execute(sa.text("SELECT 1 WHERE false")):
            op.execute(f"TRUNCATE {row[0]}")
        if op.get_bind().dialect.server_version_info < (9,):
            raise NotImplementedError("too old")
        elif len(revision) > 99:
            x = 1
            op.execute("SELECT 1")
            op.execute(
                "SELECT 2"
            )
        try:
            op.get_bind()
        except ValueError:
            op.execute("SELECT 3")
        with open(__file__):
            pass
        [op.get_bind() for _ in range(2)]
        if sa.inspect(op.get_bind()).has_table("of_an_operator"):
            op.drop_table("of_an_operator")
        if __import__("os").environ.get("NOWHERE"):
            op.execute("SELECT 4")
        if len(revision) > 99: op.execute("SELECT 5")
        len(revision) > 99 and op.execute("SELECT 6")
        op.execute("SELECT 7") if len(revision) else op.execute("SELECT 8")
        [op.execute(f"SELECT {n}") for n in ()]
        if len(revision) == 4: op.execute("SELECT 9")
        [op.execute(f"SELECT {n}") for n in (10, 11)]
        """,
    )
    assert result.trace.failure is None
    assert [f.consequence for f in result.findings if f.rule == "require-every-line-run"] == [
        f"{lines} did not run on the scratch database, or not completely: their statements are "
        "unseen"
        for lines in (
            "line 12",
            "lines 17 to 20",
            "line 24",
            *(f"line {number}" for number in (29, 31, 32, 33, 34, 35)),
        )
    ]


# A line, whether it has sent a statement, whether that changed something, and whether it is named.
LOOKED: Mapping[str, tuple[bool, bool, bool]] = {
    "metadata.create_all(bind)": (True, False, True),
    "metadata.create_all(bind, tables=[a])": (True, True, False),
    "kind.create(bind, checkfirst=True)": (True, False, True),
    "list(map(op.drop_table, names))": (False, False, True),
    "list(map(op.execute, comments))": (True, False, False),
    "each(op.execute, names)": (False, False, False),
    "run = partial(op.execute, execution_options={})": (False, False, False),
    "names = list(map(op.f, names))": (False, False, False),
}


@pytest.mark.parametrize("line", LOOKED)
def test_a_line_that_looks_first_is_named_where_it_did_nothing(line: str) -> None:
    """It does more where something is missing, or where there is something to drop."""
    source = f"def each(do, names): pass\ndef upgrade():\n    {line}\n"
    sent, changed, is_named = LOOKED[line]
    found = unmade(source, frozenset({3}), {3} if sent else (), {3} if changed else ())
    assert list(found) == ([3] if is_named else [])


def test_a_method_has_lines_as_any_function() -> None:
    """It counts where a part of it ran; nothing is said of one that nobody called."""
    source = (
        "if True:\n    class Cache:\n        def empty(self, really):\n            if really:\n"
        "                op.execute('TRUNCATE cache')\n        def other(self):\n"
        "            op.execute('SELECT 1')\ndef upgrade():\n    Cache().empty(False)\n"
    )
    assert unseen(source, frozenset({4, 9})) == [(5, 5)]


# A condition, and the lines that are reported of its two branches where neither ran.
BRANCHES: Mapping[str, tuple[int, int]] = {
    'op.get_bind().dialect.name == "sqlite"': (6, 6),
    'op.get_context().dialect.name != "postgresql"': (6, 6),
    'bind.engine.name in ("mysql", "mariadb")': (6, 6),
    'not (dialect == "postgresql" or dialect == "sqlite")': (6, 6),
    'dialect_name == "sqlite" and op.get_bind()': (6, 6),
    'op.get_bind().dialect.name == "postgresql"': (3, 3),
    'op.get_bind().dialect.name == "postgresql" and count(op)': (3, 6),
    "bind.dialect.server_version_info == (9,)": (3, 6),
    'environ["KIND"] == "oracle"': (3, 6),
    "bind.dialect.name == NAME": (3, 6),
}


@pytest.mark.parametrize("condition", BRANCHES)
def test_nothing_is_said_of_a_branch_for_another_dialect(condition: str) -> None:
    """Neither branch ran; the other condition may be true on another database."""
    source = (
        f"def upgrade():\n    if {condition}:\n        op.execute('SELECT 1')\n"
        "        print('done')\n    elif True:\n        op.execute('SELECT 2')\n"
    )
    assert unseen(source, frozenset({2})) == [BRANCHES[condition]]


def test_lines_that_are_left_out_together_are_reported_once() -> None:
    """Also where some of them call nothing; a message alone is nothing."""
    source = (
        "def upgrade():\n    for row in rows():\n        x = row.id\n        op.execute(x)\n"
        "        y = 1\n        op.execute(y)\n        y += 1\n    if not x:\n"
        "        logger.info('nothing')\n        print('nothing')\n"
    )
    assert unseen(source, frozenset({2, 8})) == [(4, 6)]


MANY = "SELECT i FROM generate_series(1, 20000) i"
ROWS = '[{"key": str(n)} for n in range(20000)]'
# Much work, though no old table is scanned.
WORK: Mapping[str, str] = {
    "a table": f'op.execute("CREATE TABLE made AS {MANY}")',
    "rows of a query": f'op.execute("INSERT INTO tags {MANY}")',
    "a bulk insert": f'op.bulk_insert(sa.table("cache", sa.column("key")), {ROWS})',
    "rows one by one": """
        for n in range(150):
            op.execute("INSERT INTO tags SELECT i FROM generate_series(1, 100) i")
    """,
    "a copy": """
        async def copied(connection):
            driver = (await connection.get_raw_connection()).driver_connection
            rows = [(n,) for n in range(20000)]
            await driver.copy_records_to_table("tags", records=rows, columns=["job_id"])
        op.run_async(copied)
    """,
    "a cascade": 'op.execute("DELETE FROM jobs WHERE id < 900")',
    "large objects": """
        op.execute("SELECT lo_from_bytea(0, decode(repeat('00', 30000000), 'hex'))")
    """,
    "a function that writes": 'op.execute("SELECT fill(20000)")',
    "a trigger that writes": 'op.execute("INSERT INTO results (job_id) VALUES (NULL)")',
    "a table of the session": f'op.execute("CREATE TEMPORARY TABLE own AS {MANY}")',
    "new rows and an index": """
        op.execute("CREATE TABLE filled AS SELECT n FROM generate_series(1, 9000) n")
        op.execute("CREATE INDEX ON filled (n)")
    """,
    "new rows and their change": """
        op.execute("CREATE TABLE filling AS SELECT n FROM generate_series(1, 9000) n")
        op.execute("UPDATE filling SET n = n + 1")
    """,
}
LITTLE = """
op.execute("CREATE TABLE little AS SELECT i FROM generate_series(1, 200) i")
op.execute("UPDATE jobs SET note = 'x' WHERE id = 7")
op.execute("SELECT fill(200)")
"""
PRELUDE = """
op.execute(
    "CREATE FUNCTION fill(n int) RETURNS void LANGUAGE sql AS "
    "'INSERT INTO tags SELECT i FROM generate_series(1, n) i'"
)
op.execute(
    "CREATE FUNCTION logs() RETURNS trigger LANGUAGE plpgsql AS "
    "'BEGIN PERFORM fill(20000); RETURN new; END'"
)
op.execute("CREATE TRIGGER logs BEFORE INSERT ON results FOR EACH ROW EXECUTE FUNCTION logs()")
op.execute("ALTER TABLE results DROP CONSTRAINT fk_results_job_id")
op.execute(
    "ALTER TABLE results ADD CONSTRAINT fk FOREIGN KEY (job_id) REFERENCES jobs "
    "ON DELETE CASCADE NOT VALID"
)
"""
BLOCK = f"DO $$ BEGIN LOCK TABLE archive.jobs; INSERT INTO tags {MANY}; END $$"


@pytest.mark.parametrize(
    ("lock", "rule"),
    [
        ("ACCESS EXCLUSIVE", "avoid-work-under-access-exclusive"),
        ("SHARE", "avoid-work-under-write-lock"),
    ],
)
@pytest.mark.slow
async def test_work_while_others_wait_is_found_however_it_is_done(
    bench: Bench, tmp_path: Path, lock: str, rule: str
) -> None:
    """By the rows that are written: in old tables, in new ones and in those of the system."""
    locked = f'op.execute("LOCK TABLE archive.jobs IN {lock} MODE")\n'
    works = [locked + textwrap.dedent(text).strip() for text in WORK.values()]
    block = f'op.execute("{BLOCK.replace("jobs;", f"jobs IN {lock} MODE;")}")'
    result = await linted(bench, tmp_path, PRELUDE, locked + LITTLE, *works, block)
    assert result.trace.failure is None
    names = {f"{number:04}": name for number, name in enumerate(WORK, start=3)}
    found = [names.get(f.revision, f.revision) for f in result.findings if f.rule == rule]
    assert found == [*WORK, f"{len(WORK) + 3:04}"]


# Each waits for 0.2 s after a lock is taken, or after the last statement.
WAITS: Mapping[str, str] = {
    "in Python": "time.sleep(0.2)",
    "in a program": "__import__('subprocess').run(['sleep', '0.2'])",
    "for a peer": "__import__('select').select([], [], [], 0.2)",
    "in a coroutine": """
        async def work(connection):
            await __import__("asyncio").sleep(0.2)
            await connection.execute(sa.text("SELECT 1"))
        op.run_async(work)
    """,
    "in parts": """
        for _ in range(4):
            time.sleep(0.05)
            op.execute("SELECT 1")
    """,
    "in the server": 'op.execute("SELECT pg_sleep(0.2)")',
}


@pytest.mark.slow
async def test_a_wait_while_a_lock_is_held_is_found_however_it_waits(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The time between two statements is measured, whatever it is spent with."""
    monkeypatch.setattr("surefoot.rules.transactions.WAIT_S", 0.2)
    lock = 'op.execute("LOCK TABLE archive.jobs IN SHARE MODE")\n'
    waits = [textwrap.dedent(text).strip() for text in WAITS.values()]
    row = 'op.execute("UPDATE cache SET value = 1 WHERE key = 1::text")\n'
    of_row = (row + WAITS[name] for name in ("in Python", "in the server"))
    result = await linted(bench, tmp_path, *(lock + text for text in waits), *of_row, *waits)
    assert result.trace.failure is None
    found = {f.revision for f in result.findings if f.rule == "avoid-waiting-under-lock"}
    assert found == {f"{number:04}" for number in range(1, len(WAITS) + 3)}


async def test_a_table_of_the_run_itself_is_no_lock_of_the_first_revision(
    tmp_path: Path, empty_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its transaction creates the version table and the ledger, which nobody can wait for."""
    monkeypatch.setattr("surefoot.rules.transactions.WAIT_S", 0.1)
    chain = Chain(tmp_path / "chain")
    chain.add("op.execute('SELECT pg_sleep(0.1)')")
    async with engine(empty_database.access, "migrate") as made:
        result = await lint(Target.of(made, chain.ini), read_revisions(chain.versions), {"0001"})
    assert result.trace.failure is None
    assert "avoid-waiting-under-lock" not in {each.rule for each in result.findings}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("sql", "shown"),
    [
        ("REINDEX INDEX ix_jobs_rank", ["SHARE on jobs", f"{AE} on ix_jobs_rank of jobs"]),
        ("REINDEX TABLE tags", ["SHARE on tags", f"{AE} on ix_tags_job_id of tags"]),
        ("ALTER INDEX ix_jobs_rank SET (fillfactor = 50)", [f"{SUE} on ix_jobs_rank of jobs"]),
        ("ALTER INDEX ix_jobs_rank RENAME TO i", [f"{SUE} on ix_jobs_rank of jobs"]),
        ("DROP INDEX ix_jobs_rank", [f"{AE} on jobs"]),
        ("CLUSTER tags USING ix_tags_job_id", [f"{AE} on tags"]),
        ("UPDATE jobs SET rank = 1 WHERE id = 1", ["ROW EXCLUSIVE on jobs"]),
    ],
)
async def test_lint_and_plan_tell_the_same_locks(
    bench: Bench, tmp_path: Path, sql: str, shown: list[str]
) -> None:
    """Also that of an index, where queries of its table wait for it and not for the table."""
    (statement,) = (await linted(bench, tmp_path, f'op.execute("{sql}")')).trace.statements
    (planned_one,) = planned([statement], Statistics({}, None))
    told = [
        f"{k.mode} on {statement.named(k.index or k.table)} ({blocked(k.mode)})"
        for k in planned_one.locks
    ]
    assert sorted(each.partition(" (")[0] for each in told) == sorted(shown)
    assert all(each in (measured(statement) or "") for each in told)


@pytest.mark.slow
async def test_a_sequence_that_a_parameter_sets_is_named(bench: Bench, tmp_path: Path) -> None:
    """Neither its name nor the number is in the text of the statement."""
    result = await linted(
        bench,
        tmp_path,
        """
        op.get_bind().execute(sa.select(sa.func.setval("numbers", 8, False)))
        to = {"name": "numbers", "to": 7}
        op.get_bind().execute(sa.text("SELECT setval(CAST(:name AS regclass), :to)"), to)
        """,
    )
    found = [f for f in result.findings if f.rule == "avoid-narrowing-a-sequence"]
    assert [f.line for f in found] == [FIRST, FIRST + 2]
    assert {f.consequence.partition(";")[0] for f in found} == {
        "sequence numbers gives numbers again"
    }


# Rows that grow with those of another table, and few of them.
COPIED: Mapping[str, bool] = {
    "INSERT INTO tags (label) SELECT ref FROM jobs": True,
    "INSERT INTO tags (label) SELECT ref FROM jobs LIMIT 5": False,
    "INSERT INTO tags (job_id) SELECT count(*) FROM jobs": False,
    "INSERT INTO tags (label) VALUES ('a'), ('b')": False,
}


@pytest.mark.slow
async def test_rows_copied_from_a_table_are_many(bench: Bench, tmp_path: Path) -> None:
    """The target may have any number of them."""
    result = await linted(bench, tmp_path, *(f'op.execute("{sql}")' for sql in COPIED))
    found = {f.revision for f in result.findings if f.rule == "avoid-unbatched-change"}
    assert result.trace.failure is None
    assert found == {f"{n:04}" for n, many in enumerate(COPIED.values(), start=1) if many}


# Rows in a table with an identity, and whether their numbers are given again.
NUMBERED: Mapping[str, bool] = {
    "INSERT INTO docs (id, title) VALUES (7, 'a')": True,
    "INSERT INTO docs VALUES (8, 1, 'b')": True,
    "INSERT INTO docs (title) VALUES ('c')": False,
    "INSERT INTO docs (id, title) VALUES (DEFAULT, 'd')": False,
    "INSERT INTO archive.jobs (id) VALUES (9)": False,
    "INSERT INTO docs (id) VALUES (9); SELECT setval('docs_id_seq', max(id)) FROM docs": False,
    "CREATE SEQUENCE other; ALTER TABLE docs ALTER COLUMN number SET DEFAULT nextval('other')": (
        True
    ),
    "CREATE SEQUENCE third; ALTER TABLE tags ALTER COLUMN job_id SET DEFAULT nextval('third')": (
        False
    ),
}


@pytest.mark.slow
async def test_numbers_that_a_sequence_does_not_know_are_found(
    bench: Bench, tmp_path: Path
) -> None:
    """It gives them again, unless it is set to the highest one."""
    texts = ["\n".join(f'op.execute("{sql}")' for sql in each.split("; ")) for each in NUMBERED]
    result = await linted(bench, tmp_path, *texts)
    found = {f.revision: f for f in result.findings if f.rule == "avoid-narrowing-a-sequence"}
    assert result.trace.failure is None
    assert {*found} == {f"{n:04}" for n, again in enumerate(NUMBERED.values(), start=1) if again}
    forms = [found[each].render() for each in ("0001", "0007")]
    assert "setval('sequence', max(id)) FROM docs" in forms[0]
    assert "setval('other', max(number)) FROM docs" in forms[1]


@pytest.mark.slow
@pytest.mark.skipif(PG_MAJOR < 18, reason="NOT ENFORCED is of PostgreSQL 18")
async def test_a_key_that_is_enforced_again_is_validated_under_its_lock(
    bench: Bench, tmp_path: Path
) -> None:
    """VALIDATE CONSTRAINT takes another lock."""
    key = "op.execute('ALTER TABLE results {} CONSTRAINT fk_results_job_id {}')"
    texts = [key.format("ALTER", "NOT ENFORCED"), key.format("ALTER", "ENFORCED")]
    valid = "op.execute('ALTER TABLE docs ADD CONSTRAINT f FOREIGN KEY (id) REFERENCES jobs {}')"
    texts += [valid.format("NOT VALID"), "op.execute('ALTER TABLE docs VALIDATE CONSTRAINT f')"]
    result = await linted(bench, tmp_path, *texts)
    rule = "require-not-valid-foreign-key"
    assert [f.revision for f in result.findings if f.rule == rule] == ["0002"]


@pytest.mark.slow
async def test_a_lock_timeout_inside_a_statement_is_found(bench: Bench, tmp_path: Path) -> None:
    """A block or a function sets it, and its end restores it."""
    result = await linted(
        bench,
        tmp_path,
        """
        op.execute("DO $$ BEGIN SET LOCAL lock_timeout = 0; RESET lock_timeout; END $$")
        op.execute("CREATE FUNCTION f() RETURNS int LANGUAGE sql SET lock_timeout = 0 RETURN 1")
        op.execute("SELECT 1 /* lock_timeout */")
        """,
    )
    assert [f.line for f in result.findings if f.rule == "require-lock-timeout"] == [
        FIRST,
        FIRST + 1,
    ]


@pytest.mark.slow
@pytest.mark.skipif(PG_MAJOR < 17, reason="PostgreSQL 17 has the event")
async def test_an_event_trigger_says_when_it_runs(bench: Bench, tmp_path: Path) -> None:
    """One on login runs for no change of the schema."""
    see = "CREATE FUNCTION see() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END'"
    made = f'op.execute("{see}")'
    on = 'op.execute("CREATE EVENT TRIGGER {0} ON {0} EXECUTE FUNCTION see()")'
    text = "\n".join([made, on.format("login"), on.format("ddl_command_end")])
    said = [f.render() for f in (await linted(bench, tmp_path, text)).findings]
    assert [
        each.split("may refuse, ")[1].split(" of the")[0] for each in said if "may refuse" in each
    ] == ["each login", "schema changes and temporary tables"]
