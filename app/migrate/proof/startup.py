"""The start-up check: does the database have what this build's code works with?

    newest revisions of the build (revisions.lock)  x  revisions of the database  ->  Verdict

It reads one small file and one row, imports neither Alembic nor a revision, takes no lock and
writes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.ext.asyncio import AsyncEngine

from app.db.failures import UNDEFINED_TABLE, explained, sqlstate
from app.errors import DatabaseAhead, DatabaseBehind, NeverMigrated, VegafsError
from app.migrate.history.revisions import Revision, ancestors, heads, read_lock

State = Literal["current", "behind", "ahead", "never-migrated"]


@dataclass(frozen=True)
class Verdict:
    """What the check found."""

    state: State
    database: str
    current: str | None
    expected: str
    pending: tuple[str, ...] = ()

    def error(self) -> VegafsError | None:
        """Why this build does not serve on the database; None where it does."""
        if self.state == "behind":
            return DatabaseBehind(
                self.database, self.current or "base", self.expected, self.pending
            )
        if self.state == "ahead":
            return DatabaseAhead(self.database, self.current or "base", self.expected)
        if self.state == "never-migrated":
            return NeverMigrated(self.database, self.expected)
        return None


async def check(engine: AsyncEngine, lock_path: Path) -> Verdict:
    """Compare the database with the revisions in `lock_path`.

    On failure: DatabaseUnreachable, LoginRefused, DatabaseMissing or PermissionMissing where the
    database does not answer, RevisionsBroken where the file cannot be read.
    """
    revisions = read_lock(lock_path)
    with explained(engine.url):
        async with engine.connect() as connection:
            try:
                rows = await connection.execute(text("SELECT version_num FROM alembic_version"))
                found = frozenset(rows.scalars())
            except ProgrammingError as error:
                if sqlstate(error) != UNDEFINED_TABLE:
                    raise
                found = frozenset()
    return decide(engine.url.database or "(default)", revisions, found)


def decide(database: str, revisions: Sequence[Revision], found: frozenset[str]) -> Verdict:
    """The verdict, from the build's revisions and the ids that the database names."""
    newest = heads(revisions)
    expected = ", ".join(sorted(newest)) or "base"
    current = ", ".join(sorted(found)) or None
    if found == newest:
        return Verdict("current", database, current, expected)
    if not found:
        return Verdict("never-migrated", database, None, expected, tuple(r.id for r in revisions))
    if not found <= {revision.id for revision in revisions}:
        return Verdict("ahead", database, current, expected)
    applied = ancestors(revisions, found)
    pending = tuple(revision.id for revision in revisions if revision.id not in applied)
    return Verdict("behind", database, current, expected, pending)
