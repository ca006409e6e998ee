"""Rows that are alike under a unique index that is built concurrently."""

from functools import partial

import asyncpg
import pytest

from harness.databases import Database
from harness.runs import Chain, Launcher

SLOW = partial(pytest.param, marks=pytest.mark.slow)
ARGUMENTS = {
    "a column": ("['a']", 6),
    "a predicate": ("['a'], postgresql_where=sa.text(\"b = 'x'\")", 2),
    "an expression": SLOW("[sa.text('lower(b)')]", 10),
    "columns": SLOW("['a', 'b']", 2),
    "nulls not distinct": ("['n'], postgresql_nulls_not_distinct=True", 11),
}


@pytest.mark.sample(3)
@pytest.mark.parametrize(("arguments", "duplicates"), ARGUMENTS.values(), ids=ARGUMENTS)
async def test_the_duplicates_are_counted_and_no_index_is_left(
    chain: Chain,
    launcher: Launcher,
    empty_database: Database,
    watcher: asyncpg.Connection,
    arguments: str,
    duplicates: int,
) -> None:
    """Exit code 4 and what to do; once the rows are gone the same command builds it."""
    chain.add(
        """
        op.execute("CREATE TABLE t (id int GENERATED ALWAYS AS IDENTITY, a int, b text, n int)")
        op.execute("INSERT INTO t (a, b) SELECT g % 4, 'x' FROM generate_series(1, 6) g")
        op.execute("INSERT INTO t (a, b) SELECT g % 4, 'X' FROM generate_series(1, 4) g")
        op.execute("INSERT INTO t (a, b) VALUES (NULL, 'y'), (NULL, 'Y')")
        """
    )
    url = empty_database.url
    first = await launcher.alembic(chain, "upgrade", "head", url=url)
    assert first.code == 0, first.err
    chain.add(f"op.create_index_concurrently('t_key', 't', {arguments}, unique=True)")
    result = await launcher.alembic(chain, "upgrade", "head", url=url)
    assert result.code == 4, result.err
    found = "duplicate row" if duplicates == 1 else "duplicate rows"
    assert result.err.endswith(
        "FAILED [duplicate-rows]  the unique index t_key cannot be built because of "
        f"{duplicates} {found}; no index is left\n"
        "  help: remove the duplicates, then run the same command again\n"
    ), result.err
    assert (
        await watcher.fetchval("SELECT count(*) FROM pg_index WHERE indrelid = 't'::regclass") == 0
    )
    assert await watcher.fetchval("SELECT version_num FROM alembic_version") == "0001"
    rows = await watcher.fetch("SELECT outcome, error FROM alembic_version_ledger ORDER BY id")
    assert [row["outcome"] for row in rows] == ["applied", "measured", "started", "failed"]

    await watcher.execute("DELETE FROM t WHERE id > 1")
    again = await launcher.alembic(chain, "upgrade", "head", url=url)
    assert again.code == 0, again.err
    assert await watcher.fetchval("SELECT bool_and(indisvalid) FROM pg_index")
