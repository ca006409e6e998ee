"""The bench: databases with the base on them, and cases run on them."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from sqlalchemy.ext.asyncio import AsyncEngine

from harness.databases import Database, Databases, connect, engine
from harness.runs import Chain
from hazards.cases import HERE, Case
from surefoot.chain.revisions import read_revisions
from surefoot.linting.judging import Linted
from surefoot.linting.lint import lint
from surefoot.run.commands import upgrade
from surefoot.target import Target
from surefoot.trace.sample_rows import seed
from surefoot.trace.trace import ROWS

# A revision; its body begins at line FIRST.
FILE = """\
import time
import sqlalchemy as sa
from alembic import op

revision = "{number:04}"
down_revision = "{former:04}"
phase = "expand"


def upgrade() -> None:
{body}

def downgrade() -> None:
    raise NotImplementedError("it is not what is looked at")
"""
FIRST = 11


class Bench:
    """Two databases to clone, with and without rows, and a folder for chains."""

    def __init__(self, databases: Databases, folder: Path, empty: Database, full: Database) -> None:
        self._databases = databases
        self._folder = folder
        self._empty, self._full = empty, full
        self._chains = 0
        self._linted: dict[str, Linted] = {}

    @classmethod
    async def set_up(cls, databases: Databases, folder: Path) -> Bench:
        """Make both databases."""
        empty = await databases.empty()
        bench = cls(databases, folder, empty, empty)
        async with engine(empty.access, "migrate") as made:
            await upgrade(bench.target(made, bench.chain([])))
        full = await databases.copy(empty)
        connection = await connect(full.url)
        await seed(connection, ROWS)
        await connection.close()
        bench._full = full
        return bench

    def target(self, made: AsyncEngine, chain: Chain) -> Target:
        """A database, and the chain to run on it."""
        return Target.of(made, chain.ini)

    def chain(self, paths: Sequence[Path]) -> Chain:
        """A chain of the base and these files."""
        self._chains += 1
        chain = Chain(self._folder / str(self._chains))
        for number, path in enumerate([HERE / "base.py", *paths]):
            shutil.copy(path, chain.versions / f"{number:04}_{path.name}")
        chain.lock()
        return chain

    @asynccontextmanager
    async def clone(self, *, rows: bool) -> AsyncIterator[Database]:
        """A database of the base."""
        made = await self._databases.copy(self._full if rows else self._empty)
        yield made
        await self._databases.drop(made)

    async def of(self, case: Case) -> Linted:
        """The findings of lint in a case; it is asked once."""
        if case.name not in self._linted:
            self._linted[case.name] = await self.lint(case.paths)
        return self._linted[case.name]

    async def lint(self, paths: Sequence[Path]) -> Linted:
        """The findings of lint in these files on top of the base."""
        chain = self.chain(paths)
        revisions = read_revisions(chain.versions)
        async with self.clone(rows=False) as database, engine(database.access, "migrate") as made:
            return await lint(
                self.target(made, chain), revisions, {r.id for r in revisions if r.down}
            )


def found(linted: Linted) -> set[tuple[str, int, str]]:
    """File, line and rule of the findings."""
    return {(f.path.name.partition("_")[2], f.line, f.rule) for f in linted.findings}
