"""A service can say whether its database is what revisions.lock expects."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.databases import Database, agreement, engine, execute
from harness.server import SAMPLE
from surefoot.chain.lockfile import read_lock, write_lock

LOCK = SAMPLE / "alembic" / "revisions.lock"


@pytest.mark.slow
async def test_a_migrated_database_agrees_until_it_is_changed(database: Database) -> None:
    """A role that may read nothing but the revision table is enough."""
    role = f"reads_{database.name}"
    await execute(
        database.url, f"CREATE ROLE {role} LOGIN; GRANT SELECT ON alembic_version TO {role}"
    )
    looking = Database(database.name, database.url.replace("://tester@", f"://{role}@"))
    async with engine(looking.access, "observe") as made:
        before = await agreement(made, LOCK)
        assert (before.revision, before.agrees) == ("0008", True)
        await execute(database.url, "DROP INDEX ix_jobs_queue")
        after = await agreement(made, LOCK)
        assert (after.revision, after.expected, after.agrees) == ("0008", before.expected, False)
    await execute(database.url, f"DROP OWNED BY {role}; DROP ROLE {role}")


async def test_a_database_that_was_never_migrated_agrees_when_it_is_empty(
    empty_database: Database,
) -> None:
    """Base is nothing at all."""
    async with engine(empty_database.access, "observe") as made:
        assert (await agreement(made, LOCK)).agrees is True
        await execute(empty_database.url, "CREATE TABLE t (id int)")
        found = await agreement(made, LOCK)
        assert (found.revision, found.agrees) == ("base", False)


async def test_nothing_is_said_where_the_lock_does_not_know(
    database: Database, tmp_path: Path
) -> None:
    """A build that is older than the database cannot tell."""
    older = tmp_path / "revisions.lock"
    write_lock(older, read_lock(LOCK)[:-1])
    async with engine(database.access, "observe") as made:
        assert (await agreement(made, older)).agrees is None
