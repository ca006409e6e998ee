"""In production a revision that loses data is rolled back, however it loses them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.chains import long
from harness.databases import Database, Databases, connect, engine, execute, value
from harness.runs import Chain
from harness.server import LIBRARY
from surefoot import Limits
from surefoot.errors import BackupMissing, DataWouldBeLost, SurefootError
from surefoot.run.commands import downgrade, upgrade
from surefoot.run.events import BackupStarted, Warned
from surefoot.run.guards import loss
from surefoot.target import Target

PRODUCTION = Limits(production=True, lint="off")
SCHEMA = """
CREATE SCHEMA s;
CREATE TYPE mood AS ENUM ('good', 'bad');
CREATE TYPE pair AS (a int, b int);
CREATE DOMAIN amount AS numeric(10, 4);
CREATE TABLE t (id int PRIMARY KEY, n int, name text, price numeric(10, 4), code varchar(20),
    feel mood, cost amount, day date DEFAULT '2026-01-01', duo pair);
INSERT INTO t SELECT g, g, 'name ' || g, g + 0.25, 'code-' || g, 'good'::mood, g,
    date '2026-01-01', row(g, g)::pair FROM generate_series(1, 4) g;
CREATE TABLE child (id int REFERENCES t ON DELETE CASCADE, parent int REFERENCES t
    ON DELETE SET NULL);
INSERT INTO child VALUES (1, 1), (2, 2);
CREATE TABLE "Odd ""name" (id int); INSERT INTO "Odd ""name" VALUES (1);
CREATE TABLE s.inner (id int); INSERT INTO s.inner VALUES (1), (2);
CREATE TABLE hidden (id int, n int);
INSERT INTO hidden VALUES (1, 1);
ALTER TABLE hidden ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE TABLE parts (id int, n int) PARTITION BY RANGE (id);
CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (1) TO (10);
INSERT INTO parts VALUES (1, 1), (2, 2);
CREATE TABLE parent_of (id int); CREATE TABLE heir (n int) INHERITS (parent_of);
INSERT INTO heir VALUES (1, 1);
CREATE MATERIALIZED VIEW summary AS SELECT count(*) AS rows FROM t;
CREATE TABLE computed (n int, twice int GENERATED ALWAYS AS (n * 2) STORED);
INSERT INTO computed VALUES (1);
CREATE TABLE empty (id int, n numeric(10, 4));
CREATE TABLE lists (id int, tags text[]); INSERT INTO lists VALUES (1, '{a}');
DO $$ BEGIN IF EXISTS (SELECT FROM pg_available_extensions WHERE name = 'citext') THEN
    CREATE EXTENSION citext; CREATE TABLE letters (c citext); INSERT INTO letters VALUES ('a');
END IF; END $$;
SELECT lo_from_bytea(4711, 'large');
ANALYZE;
"""
T = "~4 rows"
# The statements of a revision, and the losses that it is refused for.
CASES: dict[str, tuple[list[str], list[str]]] = {
    "table": (["DROP TABLE child"], ["table child (~2 rows)"]),
    "comment between words": (["DROP /* x */ TABLE -- y\n child"], ["table child (~2 rows)"]),
    "odd name": (['DROP TABLE "Odd ""name"'], ['table Odd "name (~1 row)']),
    "escaped name": (['DROP TABLE U&"\\0063hild"'], ["table child (~2 rows)"]),
    "renamed first": (
        ["ALTER TABLE child RENAME TO other", "DROP TABLE other"],
        ["table child (~2 rows)"],
    ),
    "moved first": (
        ["ALTER TABLE child SET SCHEMA s", "DROP SCHEMA s CASCADE"],
        ["table child (~2 rows)", "table s.inner (~2 rows)"],
    ),
    "dynamic": (
        ["DO $$ BEGIN EXECUTE 'DROP ' || 'TABLE child'; END $$"],
        ["table child (~2 rows)"],
    ),
    "in a subtransaction": (
        [
            "DO $$ BEGIN BEGIN DROP TABLE child; EXCEPTION WHEN division_by_zero THEN NULL; END; "
            "END $$"
        ],
        ["table child (~2 rows)"],
    ),
    "schema": (["DROP SCHEMA s CASCADE"], ["table s.inner (~2 rows)"]),
    "table cascade": (
        ["DROP TABLE t CASCADE"],
        ["materialized view summary (~1 row)", "table t (~4 rows)"],
    ),
    "partition": (["DROP TABLE parts"], ["table parts_1 (~2 rows)"]),
    "row security": (["DROP TABLE hidden"], ["table hidden (~1 row)"]),
    "made again": (
        ["DROP TABLE child", "CREATE TABLE child (id int)"],
        ["table child (~2 rows)"],
    ),
    "column": (["ALTER TABLE t DROP n"], [f"column t.n ({T})"]),
    "column after a default": (
        ["ALTER TABLE t ALTER name SET DEFAULT 'a;b', DROP COLUMN n"],
        [f"column t.n ({T})"],
    ),
    "column renamed first": (
        ["ALTER TABLE t RENAME n TO m", "ALTER TABLE t DROP m"],
        [f"column t.n ({T})"],
    ),
    "column of a partition": (["ALTER TABLE parts DROP n"], ["column parts_1.n (~2 rows)"]),
    "column made again": (
        ["ALTER TABLE t DROP n", "ALTER TABLE t ADD n int DEFAULT 0"],
        [f"column t.n ({T})"],
    ),
    "enum": (["DROP TYPE mood CASCADE"], [f"column t.feel ({T})"]),
    "domain": (["DROP DOMAIN amount CASCADE"], [f"column t.cost ({T})"]),
    "composite type": (["DROP TYPE pair CASCADE"], [f"column t.duo ({T})"]),
    "attribute": (["ALTER TYPE pair DROP ATTRIBUTE b CASCADE"], ["attribute pair.b"]),
    "extension": (["DROP EXTENSION citext CASCADE"], ["column letters.c (~1 row)"]),
    "materialized view": (
        ["DROP MATERIALIZED VIEW summary"],
        ["materialized view summary (~1 row)"],
    ),
    "truncate": (["TRUNCATE child"], ["the rows of child (~2 rows)"]),
    "truncate cascade": (
        ["TRUNCATE t CASCADE"],
        ["the rows of child (~2 rows)", "the rows of t (~4 rows)"],
    ),
    "truncate and insert": (
        ["TRUNCATE child", "INSERT INTO child VALUES (1, 1), (2, 2)"],
        ["the rows of child (~2 rows)"],
    ),
    "rewrite and truncate": (
        ["ALTER TABLE s.inner ALTER id TYPE bigint", "TRUNCATE s.inner"],
        ["the rows of s.inner (~2 rows)"],
    ),
    "delete": (["DELETE FROM s.inner WHERE id = 1"], ["1 row of s.inner"]),
    "delete, and reset": (
        ["DELETE FROM t WHERE id = 2", "RESET ALL"],
        ["1 row of child", "1 row of t"],
    ),
    "delete cascade": (["DELETE FROM t WHERE id = 1"], ["1 row of child", "1 row of t"]),
    "delete in a subtransaction": (
        [
            "DO $$ BEGIN BEGIN DELETE FROM s.inner; EXCEPTION WHEN division_by_zero THEN NULL; "
            "END; END $$"
        ],
        ["2 rows of s.inner"],
    ),
    "delete of an heir": (["DELETE FROM parent_of"], ["1 row of heir"]),
    "update to null": (["UPDATE t SET n = NULL"], ["4 values of t.n"]),
    "update to null beside a new column": (
        ["ALTER TABLE t ADD fresh int", "UPDATE t SET n = NULL, fresh = 1 WHERE id < 3"],
        ["2 values of t.n"],
    ),
    "update to a constant": (["UPDATE t SET n = 0"], ["4 values of t.n"]),
    "update of one row": (["UPDATE t SET name = 'x' WHERE id = 1"], ["1 value of t.name"]),
    "update to one name": (
        ["UPDATE t SET name = left(name, 4)"],
        ["4 values of t.name"],
    ),
    "update of a partition": (["UPDATE parts SET n = NULL"], ["2 values of parts_1.n"]),
    "update of a rewritten table": (
        ["ALTER TABLE t ADD u uuid DEFAULT gen_random_uuid()", "UPDATE t SET n = NULL"],
        ["values in 4 updated rows of t, which cannot be compared"],
    ),
    "deferred until the commit": (
        [
            "CREATE FUNCTION forget() RETURNS trigger LANGUAGE plpgsql AS "
            "'BEGIN DELETE FROM s.inner; RETURN NULL; END'",
            "CREATE CONSTRAINT TRIGGER forgets AFTER INSERT ON child DEFERRABLE INITIALLY DEFERRED "
            "FOR EACH ROW EXECUTE FUNCTION forget()",
            "INSERT INTO child VALUES (3, 3)",
        ],
        ["2 rows of s.inner"],
    ),
    "merge": (
        ["MERGE INTO s.inner i USING t ON t.id = i.id WHEN MATCHED THEN DELETE"],
        ["2 rows of s.inner"],
    ),
    "numeric": (
        ["ALTER TABLE t ALTER price TYPE numeric(10, 0)"],
        [f"values of t.price (numeric(10,4) to numeric(10,0), {T})"],
    ),
    "varchar": (
        ["ALTER TABLE t ALTER code TYPE varchar(2) USING substr(code, 1, 2)"],
        [f"values of t.code (character varying(20) to character varying(2), {T})"],
    ),
    "longer varchar": (
        ["ALTER TABLE t ALTER code TYPE varchar(30) USING 'x' || left(code, 2)"],
        [f"values of t.code (character varying(20) to character varying(30), {T})"],
    ),
    "using nothing": (
        ["ALTER TABLE t ALTER name TYPE text USING ''"],
        [f"values of t.name (computed again, {T})"],
    ),
    "using a part": (
        ["ALTER TABLE t ALTER name TYPE text USING substr(name, 1, 6)"],
        [f"values of t.name (computed again, {T})"],
    ),
    "using a constant": (
        ["ALTER TABLE t ALTER n TYPE bigint USING 0"],
        [f"values of t.n (integer to bigint, {T})"],
    ),
    "to text of another type": (
        ["ALTER TABLE t ALTER day TYPE text USING day::text"],
        [f"values of t.day (date to text, {T})"],
    ),
    "large object": (["SELECT lo_unlink(4711)"], ["1 large object"]),
    "large object written over": (
        ["SELECT lo_put(4711, 0, 'small')"],
        ["1 page of large objects"],
    ),
    "owned by a role": (
        ["DO $$ BEGIN EXECUTE format('DROP OWNED BY %I', current_database() || '_owner'); END $$"],
        ["table theirs (~1 row)"],
    ),
}
# Nothing is lost by these.
HARMLESS: dict[str, list[str]] = {
    "settings reset": ["ALTER TABLE t ADD m int", "RESET ALL"],
    "another encoding": [
        'ALTER TABLE t RENAME n TO "zähler"',
        "UPDATE t SET name = name",
        "SET client_encoding = 'LATIN1'",
    ],
    "new column filled": [
        "ALTER TABLE t ADD m int",
        "UPDATE t SET m = n",
        "ALTER TABLE t ALTER m SET NOT NULL",
    ],
    "null filled": ["INSERT INTO t (id) VALUES (9)", "UPDATE t SET n = 5 WHERE n IS NULL"],
    "null replaced": ["INSERT INTO t (id) VALUES (9)", "UPDATE t SET n = coalesce(n, 5)"],
    "values that stay": ["UPDATE t SET n = n, name = name"],
    "values that change places": ["UPDATE t SET n = 5 - n"],
    "wider integer": ["ALTER TABLE t ALTER n TYPE bigint"],
    "wider varchar": ["ALTER TABLE t ALTER code TYPE varchar(40), ALTER name TYPE varchar"],
    "wider numeric": ["ALTER TABLE t ALTER price TYPE numeric(12, 4)"],
    "rewritten by a new column": ["ALTER TABLE t ADD u uuid DEFAULT gen_random_uuid()"],
    "empty table dropped": ["DROP TABLE empty"],
    "column of an empty table": ["ALTER TABLE empty DROP n"],
    "type in an empty table": ["ALTER TABLE empty ALTER n TYPE numeric(10, 0)"],
    "its own rows": ["CREATE TABLE x AS SELECT * FROM child", "DELETE FROM x", "DROP TABLE x"],
    "its own rows in an empty table": ["INSERT INTO empty VALUES (1)", "DELETE FROM empty"],
    "renamed": ["ALTER TABLE t RENAME TO t2", "ALTER TABLE t2 RENAME n TO m"],
    "constraints and defaults": [
        "ALTER TABLE child DROP CONSTRAINT child_id_fkey",
        "ALTER TABLE t ALTER day DROP DEFAULT",
    ],
    "view": ["CREATE VIEW v AS SELECT * FROM t", "DROP VIEW v"],
    "materialized view replaced": [
        "DROP MATERIALIZED VIEW summary",
        "CREATE MATERIALIZED VIEW summary AS SELECT 1",
    ],
    "materialized view refreshed": ["REFRESH MATERIALIZED VIEW summary"],
    "index": ["CREATE INDEX i ON t (n)", "DROP INDEX i"],
    "partition detached": ["ALTER TABLE parts DETACH PARTITION parts_1"],
    "temporary table": ["CREATE TEMP TABLE w AS SELECT * FROM t", "TRUNCATE w", "DROP TABLE w"],
    "rolled back": ["SAVEPOINT a", "DROP TABLE child", "ROLLBACK TO a"],
    "large object made": ["SELECT lo_from_bytea(0, 'more')"],
    "generated column": ["ALTER TABLE computed DROP twice"],
    "enum value": ["ALTER TYPE mood RENAME VALUE 'good' TO 'fine'"],
    "nothing": ["SELECT 1"],
}
STATE = """
SELECT ARRAY[
    (SELECT string_agg(oid || relname || relfilenode || relnatts, ' ' ORDER BY oid) FROM pg_class
     WHERE oid > 16383),
    (SELECT string_agg(t::text, ' ' ORDER BY id) FROM t), (SELECT count(*) FROM s.inner)::text,
    (SELECT string_agg(alembic_version::text, ' ') FROM alembic_version),
    (SELECT string_agg(alembic_version_ledger::text, ' ') FROM alembic_version_ledger),
    (SELECT count(*) FROM pg_largeobject_metadata)::text]
"""


def body(statements: list[str]) -> str:
    """The statements as the body of a revision's function."""
    return "\n".join(f"op.execute(sa.text({s.replace(':', chr(92) + ':')!r}))" for s in statements)


async def run(
    database: Database,
    chain: Chain,
    to: str,
    limits: Limits = PRODUCTION,
    *,
    command: Callable[..., Awaitable[object]] = upgrade,
    **options: Any,
) -> SurefootError | None:
    """Upgrade or downgrade to a revision; the error that it ends with."""
    async with engine(database.access, "migrate") as made:
        try:
            await command(Target.of(made, chain.ini, limits), to, **options)
        except SurefootError as error:
            return error
    return None


async def filled(database: Database, folder: Path) -> Chain:
    """The database with the rows of SCHEMA, at 0001 of a chain."""
    chain = Chain(folder)
    chain.add("pass", "pass")
    assert await run(database, chain, "head") is None
    await execute(database.url, SCHEMA)
    role = f"{database.name}_owner"
    await execute(
        database.url,
        f"CREATE ROLE {role}; CREATE TABLE theirs (id int); INSERT INTO theirs VALUES (1);"
        f"ALTER TABLE theirs OWNER TO {role}",
    )
    return chain


@pytest.fixture(scope="module")
async def kept(databases: Databases) -> AsyncIterator[Database]:
    """A database that no refused revision changes, so that all cases use it."""
    made = await databases.empty()
    yield made
    await databases.drop(made)
    await execute(databases.server.url, f"DROP ROLE IF EXISTS {made.name}_owner")


@pytest.fixture(scope="module")
async def applied(kept: Database, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The source of 0001, which `kept` is at."""
    chain = await filled(kept, tmp_path_factory.mktemp("first") / "chain")
    return chain.path("0001").read_text()


@pytest.mark.sample(3)
@pytest.mark.parametrize("case", CASES)
async def test_a_loss_is_refused_and_nothing_is_kept(
    kept: Database, applied: str, chain: Chain, case: str
) -> None:
    statements, losses = CASES[case]
    if case == "extension" and not await value(kept.url, "SELECT to_regtype('citext')"):
        pytest.skip("this server has no extension citext")
    chain.path("0001").write_text(applied)
    chain.add(body(statements))
    before = await value(kept.url, STATE)
    error = await run(kept, chain, "head")
    assert isinstance(error, DataWouldBeLost), error
    assert list(error.losses) == losses
    assert await value(kept.url, STATE) == before


@pytest.fixture
async def another(kept: Database, applied: str, databases: Databases) -> AsyncIterator[Database]:
    """A copy of `kept`, for a revision that is applied."""
    made = await databases.copy(kept)
    yield made
    await databases.drop(made)


@pytest.mark.sample(5)
@pytest.mark.parametrize("case", HARMLESS)
async def test_a_change_that_loses_nothing_needs_no_leave(
    another: Database, applied: str, chain: Chain, case: str
) -> None:
    chain.path("0001").write_text(applied)
    chain.add(body(HARMLESS[case]))
    assert await run(another, chain, "head") is None


@pytest.mark.slow
@pytest.mark.parametrize(
    "case", ["table cascade", "dynamic", "truncate", "delete", "update to null", "numeric"]
)
async def test_a_downgrade_that_loses_data_is_refused(
    another: Database, applied: str, chain: Chain, case: str
) -> None:
    statements, losses = CASES[case]
    chain.path("0001").write_text(applied)
    chain.add("pass", body(statements), phase="contract")
    assert await run(another, chain, "head") is None
    before = await value(another.url, STATE)
    missing = await run(another, chain, "0001", reason="it is old", command=downgrade)
    assert isinstance(missing, BackupMissing)
    error = await run(another, chain, "0001", command=downgrade)
    assert isinstance(error, DataWouldBeLost), error
    assert list(error.losses) == losses
    assert error.help == "to do it: `surefoot downgrade 0001 --execute --reason …`"
    assert await value(another.url, STATE) == before


@pytest.mark.sample(2)
@pytest.mark.parametrize("options", [{}, {"reason": "they are in the archive"}])
async def test_the_python_of_a_revision_runs_once(
    another: Database, applied: str, chain: Chain, tmp_path: Path, options: dict[str, Any]
) -> None:
    """With leave and without; it may read, and the ledger has the reason."""
    chain.path("0001").write_text(applied)
    chain.add(
        f"""
        rows = op.get_bind().execute(sa.text("SELECT count(*) FROM child")).scalar()
        with open({str(tmp_path / "ran")!r}, "a") as file:
            file.write(f"{{rows}} ")
        op.drop_table("child")
        """
    )
    told: list[object] = []
    limits = replace(PRODUCTION, backup_command="echo saved")
    error = await run(another, chain, "head", limits, listen=told.append, **options)
    assert (tmp_path / "ran").read_text() == "2 "
    if options:
        assert error is None
        assert BackupStarted("echo saved") in told
        lost = "0002 loses data: table child (~2 rows)"
        assert Warned("data-would-be-lost", lost) in told
        kept_reason = (
            "SELECT reason FROM alembic_version_ledger WHERE outcome = 'applied' AND id > 1"
        )
        assert await value(another.url, kept_reason) == "they are in the archive"
    else:
        assert isinstance(error, DataWouldBeLost)
        assert error.exit_code == 3
        assert error.message == ("0002 would lose data: table child (~2 rows); it was rolled back")


@pytest.mark.slow
async def test_an_upgrade_with_leave_needs_a_backup_where_data_is_lost(
    another: Database, applied: str, chain: Chain
) -> None:
    chain.path("0001").write_text(applied)
    chain.add(body(["DROP TABLE child"]))
    before = await value(another.url, STATE)
    error = await run(another, chain, "head", reason="old")
    assert isinstance(error, BackupMissing)
    assert await value(another.url, STATE) == before
    waived = replace(PRODUCTION, backup_waived="the operator: rows are copies")
    assert await run(another, chain, "head", waived, reason="old") is None


@pytest.mark.sample(3)
@pytest.mark.parametrize(
    ("statement", "losses"),
    [
        ("DROP TABLE hidden", ["table hidden (~1 row)"]),
        (
            "ALTER TABLE hidden ALTER n TYPE bigint",
            ["values of hidden.n (integer to bigint, ~1 row)"],
        ),
        (
            "UPDATE t SET n = NULL",
            ["values in 4 updated rows of t, which cannot be compared"],
        ),
    ],
)
async def test_rows_that_the_role_cannot_read_count(
    another: Database, applied: str, chain: Chain, statement: str, losses: list[str]
) -> None:
    """Row security hides them, or the owner may not select."""
    role = f"{another.name}_migrator"
    await execute(
        another.url,
        f"CREATE ROLE {role} LOGIN; GRANT CREATE ON SCHEMA public TO {role};"
        f"ALTER TABLE hidden OWNER TO {role}; ALTER TABLE t OWNER TO {role};"
        f"REVOKE SELECT ON t FROM {role};"
        f"ALTER TABLE alembic_version OWNER TO {role};"
        f"ALTER TABLE alembic_version_ledger OWNER TO {role}",
    )
    chain.path("0001").write_text(applied)
    chain.add(body([statement]))
    url = another.url.replace("://tester@", f"://{role}@")
    try:
        error = await run(Database(another.name, url), chain, "head")
        assert isinstance(error, DataWouldBeLost), error
        assert list(error.losses) == losses
    finally:
        await execute(another.url, f"REASSIGN OWNED BY {role} TO tester; DROP OWNED BY {role}")
        await execute(another.url, f"DROP ROLE {role}")


@pytest.mark.sample(3)
@pytest.mark.parametrize(
    ("before", "statement", "losses"),
    [
        (
            "UPDATE pg_class SET reltuples = -1 WHERE relname = 'child'",
            "DROP TABLE child",
            ["table child (an unknown number of rows)"],
        ),
        (
            "INSERT INTO t SELECT g, g FROM generate_series(10, 12) g; ANALYZE t",
            "DROP TABLE t CASCADE",
            ["materialized view summary (~1 row)", "table t (~7 rows)"],
        ),
        (
            "ALTER DATABASE {name} SET track_counts = off",
            "CREATE TABLE x (id int)",
            ["what it deletes and updates is unknown: track_counts is off"],
        ),
    ],
)
async def test_what_is_not_known_counts(
    another: Database, applied: str, chain: Chain, before: str, statement: str, losses: list[str]
) -> None:
    await execute(another.url, before.format(name=another.name))
    chain.path("0001").write_text(applied)
    chain.add(body([statement]))
    error = await run(another, chain, "head")
    assert isinstance(error, DataWouldBeLost), error
    assert list(error.losses) == losses


@pytest.mark.parametrize(
    ("bound", "losses"),
    [
        ("COMPARED_BYTES", ["values in 4 updated rows of t, which cannot be compared"]),
        ("COMPARED_VALUES", ["values of t.n, which are too many to compare"]),
    ],
)
async def test_values_of_a_large_table_are_not_compared(
    kept: Database,
    applied: str,
    chain: Chain,
    monkeypatch: pytest.MonkeyPatch,
    bound: str,
    losses: list[str],
) -> None:
    monkeypatch.setattr(loss, bound, 0)
    chain.path("0001").write_text(applied)
    chain.add(body(["UPDATE t SET n = 5 - n + id"]))
    error = await run(kept, chain, "head")
    assert isinstance(error, DataWouldBeLost), error
    assert list(error.losses) == losses


@pytest.mark.slow
async def test_a_table_that_somebody_has_locked_is_not_waited_for(
    another: Database, applied: str, chain: Chain
) -> None:
    chain.path("0001").write_text(applied)
    chain.add(body(["CREATE TABLE x (id int)"]))
    other = await connect(another.url)
    transaction = other.transaction()
    await transaction.start()
    await other.execute("LOCK TABLE empty")
    limits = replace(PRODUCTION, lock_budget_s=0.0)
    assert await run(another, chain, "head", limits) is None
    await transaction.rollback()
    await other.close()


@pytest.mark.slow
async def test_outside_of_production_nothing_is_counted(
    another: Database, applied: str, chain: Chain
) -> None:
    chain.path("0001").write_text(applied)
    chain.add(body(["DROP TABLE child"]))
    assert await run(another, chain, "head", Limits()) is None


@pytest.mark.slow
async def test_losses_of_an_earlier_attempt_do_not_count(
    another: Database, applied: str, chain: Chain
) -> None:
    """A revision that met a lock is tried again, in the same session."""
    chain.path("0001").write_text(applied)
    chain.add(
        """
        op.execute("DO $$ BEGIN IF nextval('attempts') = 1 THEN DELETE FROM child; "
            "RAISE lock_not_available; END IF; END $$")
        """
    )
    await execute(another.url, "CREATE SEQUENCE attempts")
    assert await run(another, chain, "head", replace(PRODUCTION, retry_first_s=0.01)) is None
    assert await value(another.url, "SELECT last_value FROM attempts") == 2


@pytest.mark.slow
async def test_a_chain_with_every_kind_of_step_loses_nothing_upwards(
    empty_database: Database, chain: Chain
) -> None:
    """Steps outside a transaction included; downwards it needs leave."""
    long(chain)
    assert await run(empty_database, chain, "head") is None
    limits = replace(PRODUCTION, backup_waived="a test")
    error = await run(empty_database, chain, "base", limits, command=downgrade)
    assert error is not None
    assert "table p_1 (~2 rows)" in error.message
    done = await run(empty_database, chain, "base", limits, command=downgrade, reason="a test")
    assert done is None


def test_the_readme_counts_the_cases() -> None:
    counted = f"{len(CASES)} ways to lose data, and {len(HARMLESS)} harmless changes"
    assert counted in (LIBRARY / "README.md").read_text("utf-8")
