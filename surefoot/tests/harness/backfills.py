"""Backfills of a chain for tests, and tables for them to change."""

from __future__ import annotations

import asyncio
import textwrap
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import asyncpg

from harness.databases import Database
from harness.runs import Chain
from surefoot.backfill.events import Event
from surefoot.backfill.files import named
from surefoot.backfill.run import Result, run
from surefoot.project import Project

TABLE = "CREATE TABLE files (id int PRIMARY KEY, size int, wide bigint)"
FILES = f'''
op.execute("{TABLE}")
'''


@dataclass
class Filling:
    """A database with a table, and a chain with a backfill for it."""

    chain: Chain
    database: Database
    connection: asyncpg.Connection[Any]
    told: list[Event] = field(default_factory=list)

    @property
    def project(self) -> Project:
        return Project.read(self.chain.ini)

    def write(self, name: str, body: str, *, lock: bool = True) -> None:
        """Write the file of a backfill, whose class has that body, and revisions.lock."""
        folder = self.chain.folder / "alembic" / "backfills"
        folder.mkdir(exist_ok=True)
        text = textwrap.indent(textwrap.dedent(body).strip(), "    ")
        code = f"import asyncio\n\nfrom surefoot import Backfill\n\n\nclass It(Backfill):\n{text}\n"
        (folder / f"{name}.py").write_text(code, "utf-8")
        if lock:
            self.chain.lock()

    def widen(self, *, lock: bool = True, **others: object) -> None:
        """Write the backfill `wide`, which copies a column into a wider one."""
        values = {
            "after": "0001",
            "table": "files",
            "todo": "wide IS NULL",
            "sets": {"wide": "size"},
            **others,
        }
        self.write(
            "wide", "\n".join(f"{name} = {value!r}" for name, value in values.items()), lock=lock
        )

    async def run(
        self,
        name: str = "wide",
        *,
        workers: int = 1,
        stop: asyncio.Event | None = None,
        until: Callable[[Event], bool] | None = None,
        **parameters: float,
    ) -> Result:
        """Run a backfill in this process; it stops where `until` is true of an event."""
        stopping = stop or asyncio.Event()

        def listen(event: Event) -> None:
            self.told.append(event)
            if until is not None and until(event):
                stopping.set()

        return await run(
            named(self.project, name),
            self.database.access,
            self.project,
            workers=workers,
            parameters=parameters,
            listen=listen,
            stop=stopping,
        )

    async def left(self, todo: str = "wide IS NULL", table: str = "files") -> int:
        """The rows that lack the change."""
        query = f"SELECT count(*) FROM {table} WHERE {todo}"
        found: int = await self.connection.fetchval(query)
        return found

    async def fill(self, rows: int) -> None:
        """Insert so many rows into `files`, and let the server know."""
        made = f"SELECT n, n % 1000 FROM generate_series(1, {rows}) n"
        await self.connection.execute(f"INSERT INTO files {made}; ANALYZE files")
