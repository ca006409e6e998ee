"""Branches that nothing merges: labelled, with bases of their own, one depends on another."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.commands import psql, snapshot_of
from harness.databases import Database, Databases, access_to, connect, engine
from harness.runs import Chain, Launcher
from surefoot.ledger.services import announce, intolerant, living
from surefoot.project import Project
from surefoot.startup.check import check

# The environment of Alembic's async template, in short.
PLAIN = """
import asyncio
import os

from alembic import context
from sqlalchemy import pool
from sqlalchemy.ext.asyncio import create_async_engine


def migrate(connection):
    context.configure(connection=connection, transaction_per_migration=True)
    with context.begin_transaction():
        context.run_migrations()


async def run():
    url = os.environ["DATABASE_URL"].replace("postgresql://", "postgresql+asyncpg://")
    engine = create_async_engine(url, poolclass=pool.NullPool)
    async with engine.connect() as connection:
        await connection.run_sync(migrate)
    await engine.dispose()


asyncio.run(run())
"""
NO_MODELS = """
from surefoot import Environment

Environment(metadata=(), database="harness.environment:database").run()
"""
# 1 - 2 - 3       (shop)
#      \\        3m merges 3 and s1
#       s1       (stock)
# b1 - b2        (blog), of which b2 depends on 2
HISTORY = (
    ("1", None, "branch_labels = ('shop',)"),
    ("2", "1", ""),
    ("3", "2", ""),
    ("s1", "2", "branch_labels = ('stock',)"),
    ("b1", None, "branch_labels = ('blog',)"),
    ("b2", "b1", "depends_on = '2'"),
)
HEADS = ["3", "b2", "s1"]


@pytest.fixture
def branches(chain: Chain) -> Chain:
    """The history above, without the merge."""
    for identifier, down, more in HISTORY:
        table = f"t_{identifier}"
        up, undo = f"op.execute('CREATE TABLE {table} ()')", f"op.execute('DROP TABLE {table}')"
        chain.add(up, undo, identifier=identifier, down=down or "", lock=False)
        path = chain.path(identifier)
        said = f"phase = 'expand'\n{more}\n"
        path.write_text(path.read_text("utf-8").replace("phase = 'expand'\n", said), "utf-8")
    chain.lock()
    return chain


def merged(chain: Chain) -> None:
    """The merge of 3 and s1."""
    chain.add("pass", identifier="3m", down="3", lock=False)
    path = chain.path("3m")
    path.write_text(path.read_text("utf-8").replace("'3'\n", "('3', 's1')\n"), "utf-8")
    chain.lock()


async def asked(database: Database, query: str) -> list[str]:
    """The first column of the answer."""
    connection = await connect(database.url)
    try:
        return [str(row[0]) for row in await connection.fetch(query)]
    finally:
        await connection.close()


async def at(database: Database) -> list[str]:
    """The rows of the version table; none without it."""
    if await asked(database, "SELECT to_regclass('alembic_version') IS NULL") == ["True"]:
        return []
    return await asked(database, "SELECT version_num FROM alembic_version ORDER BY 1")


async def state_of(database: Database, chain: Chain) -> str:
    """The verdict of the start-up check."""
    async with engine(access_to(database.url), "watch") as made:
        return (await check(made, Project.read(chain.ini).build())).state


@pytest.mark.slow
async def test_every_command_ends_where_plain_alembic_does(
    branches: Chain, launcher: Launcher, empty_database: Database, databases: Databases
) -> None:
    """With the same rows and the same schema, and refused where Alembic refuses it."""
    plain, theirs = Chain(branches.folder.with_name("plain")), await databases.empty()
    (plain.folder / "alembic" / "env.py").write_text(PLAIN, "utf-8")
    asked_for = (
        *("upgrade +1", "upgrade shop@+2", "upgrade stock@head", "upgrade head", "downgrade -1"),
        *("upgrade blog@head", "upgrade s1", "downgrade blog@-1", "upgrade heads", "downgrade 2"),
        *("upgrade b2", "upgrade s1", "downgrade s1-1", "downgrade shop@base", "upgrade heads"),
        *("merge", "upgrade head", "upgrade 3m", "downgrade -1", "upgrade +1", "upgrade 3m-1"),
        *("upgrade heads", "downgrade 3m-2", "upgrade 3m", "downgrade blog@base", "downgrade base"),
    )
    done: list[tuple[str, int]] = []
    for typed in asked_for:
        if typed == "merge":
            merged(branches)
            continue
        for path in branches.versions.glob("*.py"):
            (plain.versions / path.name).write_text(path.read_text("utf-8"), "utf-8")
        wanted = await launcher.alembic(plain, *typed.split(), url=theirs.url)
        found = await launcher.alembic(branches, *typed.split(), url=empty_database.url)
        assert (found.code == 0) == (wanted.code == 0), (typed, done, wanted.err, found.err)
        assert "Traceback" not in found.err
        assert await at(empty_database) == await at(theirs), (typed, done)
        assert await snapshot_of(empty_database) == await snapshot_of(theirs), (typed, done)
        assert await state_of(empty_database, branches) in ("current", "behind", "never-migrated")
        done.append((typed, found.code))
    assert sum(code == 0 for _, code in done) >= 15, done


@pytest.mark.slow
async def test_all_heads_are_the_goal(
    branches: Chain, launcher: Launcher, empty_database: Database
) -> None:
    """The look before the run, the run, the start-up check and the commands that look know it."""
    url = empty_database.url
    refused = await launcher.alembic(branches, "upgrade", "head", url=url)
    assert (refused.code, await at(empty_database)) == (2, []), refused.err
    assert refused.err.startswith("ERROR [usage]  Multiple head revisions are present for given")
    assert "added a revision, `surefoot rebase` puts one behind the other; where" in refused.err
    one = await launcher.alembic(branches, "upgrade", "blog@head", url=url)
    assert one.code == 0, one.err
    assert await state_of(empty_database, branches) == "behind"
    said = await launcher.alembic(branches, "current", url=url)
    assert said.err.endswith(" is at b2. Next: alembic upgrade heads\n"), said.err
    said = await launcher.alembic(branches, "current", "--check-heads", url=url)
    assert (said.code, "(pending: " in said.err) == (1, True), said.err
    for expected in ("OK  2 applied", "is at heads 3, b2, s1. Nothing to do"):
        done = await launcher.alembic(branches, "upgrade", "heads", url=url)
        assert (done.code, expected in done.err) == (0, True), done.err
    assert (await at(empty_database), await state_of(empty_database, branches)) == (
        HEADS,
        "current",
    )
    refused = await launcher.alembic(branches, "upgrade", "head", url=url)
    assert (refused.code, "Multiple head revisions" in refused.err) == (2, True), refused.err
    for command in ("current", "current --check-heads", "history -r current:", "history"):
        looked = await launcher.alembic(branches, *command.split(), url=url)
        assert (looked.code, "Next" in looked.err) == (0, False), (command, looked.err)
    joined = await launcher.alembic(branches, "merge", "heads", "-m", "join", url=url)
    assert (joined.code, "_join.py written" in joined.err) == (0, True), joined.err
    done = await launcher.alembic(branches, "upgrade", "head", url=url)
    assert (done.code, await state_of(empty_database, branches)) == (0, "current"), done.err
    refused = await launcher.alembic(branches, "downgrade", "-1", url=url)
    assert (refused.code, "help: name the revision" in refused.err) == (2, True), refused.err
    done = await launcher.alembic(branches, "downgrade", "3", url=url)
    assert (done.code, await state_of(empty_database, branches)) == (0, "behind"), done.err
    assert await at(empty_database) == HEADS


@pytest.mark.slow
async def test_sql_of_a_range_does_the_same(
    branches: Chain, launcher: Launcher, empty_database: Database, databases: Databases
) -> None:
    """From base to all heads, and from one revision to another."""
    online = await databases.empty()
    for command, typed in (
        ("upgrade stock@head", "upgrade stock@head --sql"),
        ("upgrade 3", "upgrade s1:3 --sql"),
    ):
        done = await launcher.alembic(branches, *command.split(), url=online.url)
        assert done.code == 0, done.err
        written = await launcher.alembic(branches, *typed.split(), url=online.url)
        assert written.code == 0, written.err
        psql(empty_database, written.out)
        assert await at(empty_database) == await at(online)
    written = await launcher.alembic(branches, "upgrade", "heads", "--sql", url=online.url)
    everything = await databases.empty()
    psql(everything, written.out)
    done = await launcher.alembic(branches, "upgrade", "heads", url=online.url)
    assert done.code == 0, done.err
    assert await at(everything) == HEADS
    assert await snapshot_of(everything) == await snapshot_of(online)
    assert await state_of(everything, branches) == "current"


@pytest.mark.slow
async def test_the_commands_of_the_library_take_all_heads(
    branches: Chain, launcher: Launcher, empty_database: Database
) -> None:
    """To lint, to plan, to compare, to show and to stamp."""
    url = empty_database.url
    (branches.folder / "alembic" / "env.py").write_text(NO_MODELS, "utf-8")
    for command in (
        *("lock", "lock --check", "lint", "plan", "upgrade blog@head", "plan", "drift", "verify"),
        *("upgrade heads", "plan", "drift", "verify", "services", "ledger"),
    ):
        done = await launcher.surefoot(branches, *command.split(), url=url)
        expected = 1 if command == "verify" and await at(empty_database) != HEADS else 0
        assert done.code == expected, (command, done.out, done.err)
        if command == "verify":
            assert "6 revisions, heads 3, b2, s1, revisions.lock is up to date" in done.out
        if command == "plan" and await at(empty_database) == ["b2"]:
            assert done.out.endswith("Next: alembic upgrade heads\n"), done.out
    psql(empty_database, "DELETE FROM alembic_version WHERE version_num = 's1'")
    stamp = ("ops", "stamp", "heads", "--reason", "a row was deleted", "--execute")
    stamped = await launcher.surefoot(branches, *stamp, url=url)
    assert (stamped.code, await at(empty_database)) == (0, HEADS), stamped.err
    assert await state_of(empty_database, branches) == "current"
    psql(empty_database, "DROP TABLE alembic_version, alembic_version_ledger")
    told = await launcher.alembic(branches, "stamp", "heads", url=url)
    assert (told.code, await at(empty_database)) == (0, HEADS), told.err


async def test_a_service_announces_all_heads(branches: Chain, empty_database: Database) -> None:
    """A contract revision knows whose code it breaks."""
    revisions = Project.read(branches.ini).revisions()
    contract = replace(revisions[-1], requires_code="b1")
    access = access_to(empty_database.url)
    async with engine(access, "observe") as made, made.connect() as one, made.connect() as other:
        assert await one.run_sync(announce, ", ".join(HEADS))
        assert await other.run_sync(announce, "3, unknown")
        found = await one.run_sync(living, revisions)
    assert [each.revision for each in found] == ["3, b2, s1", None]
    assert intolerant(found, revisions, contract) == ()
    needing = replace(contract, requires_code="nothing that they have")
    assert intolerant(found, revisions, needing) == found[:1]
