"""Tracer records every statement that a revision sends during a run.

Each message of the driver passes it: of operations, raw cursors, COPY, the driver's own connection.
Before and after one it takes a Snapshot in the session of the run: the schema as the transaction
sees it, the locks that the session holds, the rows that it read and wrote. A statement outside a
transaction releases its locks when it ends, so a LockProbe observes it while it runs.
"""

from __future__ import annotations

import re
import time
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, event

from surefoot.compat.asyncpg import control_word, is_of_client
from surefoot.compat.observed import observe
from surefoot.connect import sender
from surefoot.connect.driver import TRIAL
from surefoot.trace.executed_lines import ExecutedLines
from surefoot.trace.lock_probe import LockProbe
from surefoot.trace.recording import (
    CUT,
    changed_names,
    note_outliving,
    recorded,
    skipped,
    with_refused,
)
from surefoot.trace.running_revision import Measured, RunningRevision
from surefoot.trace.session import TracedSession
from surefoot.trace.sizes import TableSize
from surefoot.trace.snapshot import Snapshot
from surefoot.trace.statement import Statement

# A revision that takes longer is stopped; Snapshots do not count.
REVISION_S = 60.0
# So many statements of one line are looked at one by one; those after them together.
REPEATED = 100
_Send = Callable[[], Awaitable[Any]]
_ENDS_WELL, _ROLLS_BACK = ("COMMIT", "END"), ("ROLLBACK", "ABORT")
_LOOKS = re.compile(r"\s*(?:SELECT|SET)\b", re.IGNORECASE)
_QUERIES = re.compile(r"\s*SELECT\b", re.IGNORECASE)


class Tracer:
    """Collects the statements of a run on an engine."""

    def __init__(self, folders: Collection[Path], probe: LockProbe) -> None:
        self._folders = folders
        self._probe = probe
        self.statements: list[Statement] = []
        # The lines of its file that each revision has executed.
        self.lines: dict[str, set[int]] = {}
        self._running: RunningRevision | None = None
        # The Snapshot after the last statement, while nothing else has changed the schema since.
        self._last: Snapshot | None = None
        # Whether a statement that is not of the revision has read rows since then.
        self._foreign_reads = False
        # Whether a Snapshot was taken in the transaction: it makes PostgreSQL count at its end.
        self._asked = False
        # Of the connection that migrates; the run uses others of the engine to watch it.
        self._session: TracedSession | None = None
        self._sizes: Mapping[int, TableSize] = {}
        # The notices since the last statement that was recorded.
        self._notices: list[Any] = []

    @contextmanager
    def on(self, engine: Engine, sizes: Mapping[int, TableSize]) -> Iterator[None]:
        """Trace the revisions that run in the block on the engine, on tables of these sizes."""
        self._sizes = sizes
        observed: dict[Any, Callable[[], None]] = {}

        def connects(connection: Any, *_: Any) -> None:
            driver = connection.driver_connection
            if driver not in observed:
                observed[driver] = observe(driver, partial(self._sent, driver))
                driver.add_log_listener(self._told)

        event.listen(engine, "checkout", connects)
        token = sender.AROUND.set(self._function)
        try:
            yield
        finally:
            sender.AROUND.reset(token)
            event.remove(engine, "checkout", connects)
            for end in observed.values():
                end()

    @property
    def last(self) -> str | None:
        """The revision whose function runs, or has run last."""
        return self._running.revision if self._running else None

    @contextmanager
    def _function(self, revision: str) -> Iterator[None]:
        """The block is the function of a revision, for the first time or once more."""
        self.statements = [s for s in self.statements if s.revision != revision]
        self._running = RunningRevision(revision, ExecutedLines(self._folders, REVISION_S))
        self.lines[revision] = self._running.lines.lines
        with self._running.lines.on():
            yield

    async def _sent(
        self, driver: Any, sql: str, send: _Send, times: Sequence[Sequence[Any]]
    ) -> Any:
        """Send one message, and record what it does where a revision sends it."""
        running, is_own = self._running, sender.revision() is None
        if running is None or (is_own and (sql.endswith(TRIAL) or not self._is_traced(driver))):
            return await send()
        with running.lines.paused(), sender.own():
            if not times:
                # A failed transaction takes nothing but its end, no look at it.
                plain = is_own or control_word(sql)
                return await (send() if plain else self._parse(running, driver, sql, send))
            self._idle(running)
            if word := control_word(sql):
                return await self._control(running, word, send)
            if is_own:
                if not _LOOKS.match(sql):
                    await self._end_repetition(running)
                self._foreign_reads = True
                return await send()
            running.lines.check()
            try:
                return await self._statement(running, driver, sql, send, times)
            finally:
                running.ended_s = time.monotonic()

    def _told(self, _connection: Any, message: Any) -> None:
        self._notices.append(message)

    def _is_traced(self, driver: Any) -> bool:
        return self._session is not None and self._session.driver is driver

    async def _statement(
        self, running: RunningRevision, driver: Any, sql: str, send: _Send, times: Sequence[Any]
    ) -> Any:
        session = self._of(driver)
        inside, line = driver.is_in_transaction(), running.lines.line
        running.number, running.sent[line] = running.number + 1, running.sent[line] + 1
        running.moves = running.moves or "search_path" in sql.lower()
        is_repeated = inside and running.sent[line] > REPEATED
        if not is_repeated:
            await self._end_repetition(running)
        measured = running.repetition
        if measured is None:
            before = await self._before(running, session)
            statement = Statement(running.revision, line, running.number, sql.strip(), inside)
            measured = Measured(replace(statement, parameters=tuple(times[0])), before)
        elif _QUERIES.match(measured.statement.sql) and not _QUERIES.match(sql):
            # A loop that reads and writes is reported by the statement that writes.
            measured.statement = replace(
                measured.statement, line=line, sql=sql.strip(), parameters=tuple(times[0])
            )
        running.repetition = measured if is_repeated else None
        finish = None
        if not inside:
            tables = [r for r in measured.before.relations.values() if r.kind in "rpm"]
            finish = await self._probe.start(driver.get_server_pid(), tables)
        began_s, error, is_sent = time.monotonic(), "", True
        try:
            return await send()
        except BaseException as raised:
            error, running.repetition = _state(raised), None
            is_sent = not is_of_client(raised)
            raise
        finally:
            measured.took(time.monotonic() - began_s, len(times))
            if finish is not None:
                measured.seconds, measured.taken = await finish()
            if running.repetition is None and is_sent:
                await self._ends(running, session, measured, error)

    async def _parse(self, running: RunningRevision, driver: Any, sql: str, send: _Send) -> Any:
        """Only a failure is a statement; otherwise it is run after this."""
        session = self._of(driver)
        measured = running.repetition
        if measured is None:
            before = await self._before(running, session)
            where = (running.revision, running.lines.line, running.number + 1)
            statement = Statement(*where, sql.strip(), driver.is_in_transaction())
            measured = Measured(statement, before)
        try:
            return await send()
        except BaseException as raised:
            running.repetition = None
            await self._ends(running, session, measured, _state(raised))
            raise

    async def _ends(
        self, running: RunningRevision, session: TracedSession, measured: Measured, error: str = ""
    ) -> None:
        """Look at the session after the statement, or after those of a repetition."""
        after, self._last = measured.before, None
        if not error:
            inside = measured.statement.transactional
            after = await self._look(running, session, measured.before if inside else None)
            self._last, self._asked = after if inside else None, True
        self.statements.append(
            replace(
                recorded(
                    measured.statement,
                    measured.before,
                    after,
                    measured.taken,
                    first=running.first or measured.before,
                    known=running.known,
                    sizes=self._sizes,
                ),
                skipped=skipped(measured.statement, self._notices),
                cut=tuple(each.message for each in self._notices if each.sqlstate == CUT),
                seconds=measured.seconds,
                idle_s=measured.idle_s,
                times=measured.times,
                error=error or None,
            )
        )

    async def _end_repetition(self, running: RunningRevision) -> None:
        measured, running.repetition = running.repetition, None
        if measured is not None and self._session is not None:
            await self._ends(running, self._session, measured)

    async def _control(self, running: RunningRevision, word: str, send: _Send) -> Any:
        """A statement that begins or ends a transaction, of the revision or of the run."""
        if word in _ENDS_WELL:
            await self._end_repetition(running)
            await self._bodies(running)
        result = await send()
        if word in _ROLLS_BACK:
            self._last = running.repetition = None
        elif word in _ENDS_WELL and self._last is not None and self._session is not None:
            rest = await self._session.at_rest()
            note_outliving(self.statements, running, self._last.session, rest)
            self._last = replace(self._last, locks=frozenset(), activity={}, session=rest)
            # A revision without a statement: PostgreSQL has not counted the rows of the run yet.
            self._foreign_reads = self._foreign_reads or not self._asked
            self._asked = False
        return result

    async def _bodies(self, running: RunningRevision) -> None:
        """Note the functions that the revision leaves without a body that PostgreSQL accepts."""
        words = changed_names(s for s in self.statements if s.revision == running.revision)
        if words and self._session is not None and self._session.driver.is_in_transaction():
            last = self._last
            found = await self._session.refused(words)
            self.statements[-1], self._last = with_refused(self.statements[-1], found), last

    def _of(self, driver: Any) -> TracedSession:
        if self._session is None or not self._is_traced(driver):
            self._session, self._last = TracedSession(driver), None
        return self._session

    async def _before(self, running: RunningRevision, session: TracedSession) -> Snapshot:
        """The Snapshot before the next statement."""
        last, inside = self._last, session.driver.is_in_transaction()
        if last is None or (self._foreign_reads and not inside):
            last = await self._look(running, session)
            if not inside:
                last = replace(last, activity={})
        elif self._foreign_reads:
            last = replace(last, activity=await session.activity())
        self._foreign_reads, self._last = False, last
        self._notices.clear()
        running.begins(last)
        return last

    async def _look(
        self, running: RunningRevision, session: TracedSession, former: Snapshot | None = None
    ) -> Snapshot:
        began_s = time.monotonic()
        found = await session.snapshot(former, moved=running.moves)
        running.lines.until_s += time.monotonic() - began_s
        return found

    def _idle(self, running: RunningRevision) -> None:
        """The next message begins: note how long none was sent, while the locks were held."""
        if running.ended_s is None:
            return
        idle_s, running.ended_s = time.monotonic() - running.ended_s, None
        if running.repetition is not None:
            running.repetition.idle_s += idle_s
        elif self.statements:
            self.statements[-1] = replace(self.statements[-1], idle_s=idle_s)


def _state(error: BaseException) -> str:
    """The SQLSTATE of an error."""
    return str(getattr(error, "sqlstate", None) or "?")
