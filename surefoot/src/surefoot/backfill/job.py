"""Job is the run of a backfill in one process: the sessions share it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import asyncpg

from surefoot.backfill.definition import Backfill
from surefoot.backfill.events import Event, Held, LapDone, Listen
from surefoot.backfill.pace import Rate
from surefoot.backfill.statements import BY_KEY, Statements
from surefoot.connect.database import Database
from surefoot.telemetry import BackfillTelemetry

# A batch of one statement ends after so many times of what it should take.
_LONGEST = 40
# A session that was lost connects again, for so long.
LOST_S, AGAIN_S = 60.0, 0.5
# Plans are made for the values of each batch, and a place is written so that any session reads it.
_SETTINGS = """
SET plan_cache_mode = force_custom_plan; SET DateStyle = ISO; SET IntervalStyle = postgres;
SET bytea_output = hex; SET extra_float_digits = 1
"""


class Job:
    """The backfill, its database, and what the sessions are told while they work."""

    def __init__(
        self,
        backfill: Backfill,
        database: Database,
        statements: Statements,
        telemetry: BackfillTelemetry,
        listen: Listen,
    ) -> None:
        self.backfill, self.database, self.statements = backfill, database, statements
        self._listen = listen
        self.telemetry = telemetry
        self.calls = asyncio.Semaphore(backfill.concurrency)
        self.batch_s = backfill.batch_s
        self._rate = Rate()
        self._stopping, self._free = asyncio.Event(), asyncio.Event()
        self._free.set()
        # Why no batch begins; None where they do.
        self.held: str | None = None
        # Rows that this process has changed.
        self.changed = 0
        # So long the next lap waits, after one whose rows were all locked by others.
        self.between_laps_s = 0.0
        self._connections: list[asyncpg.Connection[Any]] = []

    def listen(self, event: Event) -> None:
        """Tell an event to who listens, and to OpenTelemetry what belongs into a trace."""
        match event:
            case Held(_, reason):
                self.telemetry.held(reason)
            case LapDone(_, lap, changed, skipped):
                self.telemetry.lap_ends(lap, changed, skipped)
        self._listen(event)

    def learn(self, parameters: Mapping[str, float]) -> None:
        """Take over parameters, which may change while it runs."""
        self.batch_s = parameters.get("batch_s", self.backfill.batch_s)
        self._rate.rows_per_s = parameters.get("max_rows_per_second")

    def stop(self) -> None:
        """Let the sessions end after the batch at hand."""
        self._stopping.set()
        self._free.set()

    def break_off(self) -> None:
        """End the sessions at once, whether or not their server answers."""
        self.stop()
        for connection in self._connections:
            connection.terminate()

    @property
    def is_stopping(self) -> bool:
        """Whether the sessions are to end."""
        return self._stopping.is_set()

    def hold(self, reason: str | None) -> None:
        """Let no batch begin, for a reason; with None they begin again."""
        if reason == self.held or self.is_stopping:
            return
        self.held = reason
        self.listen(Held(self.backfill.name, reason))
        self._free.clear() if reason else self._free.set()

    async def may_go_on(self) -> bool:
        """Wait while batches are held; False where the job is to stop."""
        await self._free.wait()
        return not self.is_stopping

    async def spent(self, rows: int) -> None:
        """A batch has changed so many rows: wait for as long as the rate asks for."""
        self.changed += rows
        if rows:
            self.telemetry.changed(rows)
        await self.sleep(self._rate.wait_s(rows, time.monotonic()))

    async def sleep(self, seconds: float) -> None:
        """Wait, or until the job is to stop."""
        if seconds <= 0:
            return
        try:
            await asyncio.wait_for(self._stopping.wait(), seconds)
        except (asyncio.TimeoutError, TimeoutError):
            return

    @property
    def statement_timeout_ms(self) -> int:
        """After so long the server ends a statement of a session that works."""
        return max(30_000, round(self.batch_s * _LONGEST * 1000))

    async def connect(self) -> asyncpg.Connection[Any]:
        """A session that works. On failure: whatever connecting meets."""
        connection = await self.database.connect("backfill")
        self._connections.append(connection)
        timeout = f"SET statement_timeout = {self.statement_timeout_ms}"
        try:
            await connection.execute(f"{_SETTINGS}; {timeout}; {BY_KEY}")
        except BaseException:
            # The caller has no connection yet that it could close.
            connection.terminate()
            raise
        return connection


async def closed(connection: asyncpg.Connection[Any] | None) -> None:
    """Close a session, whether or not its server answers."""
    if connection is not None:
        with suppress(Exception):
            await connection.close(timeout=2)
        connection.terminate()
