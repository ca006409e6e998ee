"""Upgrades of many databases, and many of one, as tasks of one event loop."""

import asyncio
from collections import Counter
from contextlib import AsyncExitStack

import asyncpg
import pytest

from harness.databases import Database, Databases, connect, engine
from harness.runs import Chain
from surefoot.run.commands import upgrade
from surefoot.target import Target

TASKS = pytest.mark.parametrize("tasks", [4, pytest.param(20, marks=pytest.mark.slow)])


@pytest.fixture
def named(chain: Chain) -> Chain:
    """Revisions that ask `op` and `context` again and again which database they are in."""
    chain.add("op.execute('CREATE TABLE seen (revision text, database text, bound text)')")
    for number in range(1, 4):
        chain.add(
            f"""
            from alembic import context
            for _ in range(3):
                op.execute("SELECT pg_sleep(0.01)")
                bound = op.get_bind().engine.url.database
                assert context.get_context().connection.engine.url.database == bound
                op.execute(
                    "INSERT INTO seen VALUES ('{number}', current_database(), '" + bound + "')"
                )
            """
        )
    chain.add('op.create_index_concurrently("seen_revision", "seen", ["revision"])')
    return chain


async def seen(url: str) -> list[tuple[str, ...]]:
    connection = await connect(url)
    rows = await connection.fetch("SELECT revision, database, bound FROM seen ORDER BY 1, 2, 3")
    await connection.close()
    return [tuple(row) for row in rows]


@pytest.mark.slow
@TASKS
async def test_many_databases_are_upgraded_side_by_side(
    named: Chain, databases: Databases, tasks: int
) -> None:
    """Each run writes into its own database only, and each Report is of its own."""
    made = [await databases.empty() for _ in range(tasks)]
    async with AsyncExitStack() as stack:
        engines = [await stack.enter_async_context(engine(d.access, "migrate")) for d in made]
        reports = await asyncio.gather(*(upgrade(Target.of(e, named.ini)) for e in engines))
    for database, report in zip(made, reports, strict=True):
        assert (report.database, report.before, report.after) == (database.name, (), ("0005",))
        assert [step.revision for step in report.steps] == named.ids
        own = [(f"{n}", database.name, database.name) for n in (1, 2, 3) for _ in range(3)]
        assert await seen(database.url) == own
        await databases.drop(database)


@TASKS
async def test_many_tasks_on_one_database_apply_it_once(
    named: Chain, empty_database: Database, watcher: asyncpg.Connection, tasks: int
) -> None:
    """One Report lists every revision, the others list none, and all end at head."""
    async with engine(empty_database.access, "migrate") as made:
        target = Target.of(made, named.ini)
        reports = await asyncio.gather(*(upgrade(target) for _ in range(tasks)))
    assert Counter(len(report.steps) for report in reports) == {5: 1, 0: tasks - 1}
    assert {report.after for report in reports} == {("0005",)}
    own = [(f"{n}", empty_database.name, empty_database.name) for n in (1, 2, 3) for _ in range(3)]
    assert await seen(empty_database.url) == own
    assert await watcher.fetchval("SELECT bool_and(indisvalid) FROM pg_index")
