"""The tracer stands beside a run and sees every statement that a revision file executes.

Between two statements it asks the run's own session for its State: what the schema looks like
inside the transaction, which locks the session holds, which rows it has read and written. A
statement outside a transaction gives its locks back as it ends; it meets a gate instead: locks
that writers take, held by another session until it is seen to wait behind them.
"""

from __future__ import annotations

import functools
import re
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import Any

from sqlalchemy import Engine, event

from surefoot import operations, run
from surefoot.chain.version_table import VersionTable
from surefoot.compat.sqlalchemy import await_only
from surefoot.connect.failures import sqlstate
from surefoot.trace.contents import Held
from surefoot.trace.effects import effects, work
from surefoot.trace.gate import Gate
from surefoot.trace.locks import MODES, strongest
from surefoot.trace.questions import Questions
from surefoot.trace.state import State
from surefoot.trace.statement import Statement

# A step of our own looks before it acts; that is not what the revision asked for.
OURS = tuple(str(Path(room.__path__[0])) for room in (operations, run))
_LOOKS = re.compile(r"\s*(?:SELECT|SET|RESET|SHOW)\b", re.IGNORECASE)


class Tracer:
    """Collects the statements of a run on an engine."""

    def __init__(
        self, versions: Path, gate: Gate, version_table: VersionTable = VersionTable()
    ) -> None:
        self._version_table = version_table
        self._versions = str(versions.resolve())
        self._gate = gate
        self.statements: list[Statement] = []
        self._revision: Path | None = None
        self._known: frozenset[int] = frozenset()
        # The state after the last statement, where nothing else has changed it since.
        self._last: State | None = None
        # The session's own lock timeout, which a transaction's end brings back.
        self._lock_timeout_ms = 0
        # Whether something that is not the revision's has read since.
        self._looked = False
        # Whether the session was asked in its transaction, which is then counted at its end.
        self._asked = False
        self._questions: Questions | None = None
        self._running: _Running | None = None
        self._held: Mapping[int, Held] = {}
        # Where that revision runs, and whether its transaction was rolled back. On the other
        # connections of the engine the run is watched.
        self._connection: Any = None
        self._undone = False

    @contextmanager
    def on(self, engine: Engine, held: Mapping[int, Held]) -> Iterator[None]:
        """Trace what runs on the engine while the block lasts; `held` is what the tables hold."""
        self._held = held
        listeners: Mapping[str, Callable[..., None]] = {
            "before_cursor_execute": self._begins,
            "after_cursor_execute": self._ends,
            "handle_error": self._fails,
            "commit": self._commits,
            "rollback": self._rolls_back,
        }
        for name, listener in listeners.items():
            event.listen(engine, name, listener)
        try:
            yield
        finally:
            for name, listener in listeners.items():
                event.remove(engine, name, listener)

    def forget_last_revision(self) -> None:
        """Drop the statements of the revision that came last: it failed, and runs again."""
        self.statements = [s for s in self.statements if s.path != self._revision]
        self._revision = None

    def _begins(self, connection: Any, _cursor: Any, sql: str, *_: Any) -> None:
        if self._version_table.name in sql:
            # The run's own rows come last in a transaction and change no schema, the ledger's
            # table before the first revision.
            return
        place = self._place(sql)
        if place is None:
            self._looked = self._looked or connection is self._connection
            return
        path, line, revision = place
        if connection is not self._connection:
            self._connection, self._last = connection, None
        driver: Any = connection.connection.driver_connection
        transactional = connection.get_execution_options().get("isolation_level") != "AUTOCOMMIT"
        if self._questions is None or self._questions.driver is not driver:
            self._questions = Questions(driver)
        before = self._before(self._questions)
        if path == self._revision and self._undone:
            # It did not get a lock, and is run again.
            self.forget_last_revision()
        self._undone = False
        if path != self._revision:
            self._revision = path
            self._known = frozenset(before.relations)
        pause = None
        if not transactional:
            tables = [r for r in before.relations.values() if r.kind in "rpm"]
            pause = await_only(self._gate.close(driver.get_server_pid(), tables))
        self._running = _Running(
            path, line, revision, sql, transactional, before, self._questions, pause
        )

    def _ends(self, connection: Any, *_: Any) -> None:
        if connection is not self._connection:
            return
        running, self._running = self._running, None
        if running is None:
            return
        seconds = time.monotonic() - running.since_s
        taken: dict[int, set[str]] = {}
        if running.pause is not None:
            seconds, taken = await_only(self._gate.open(running.pause))
        after = running.session.state()
        self._asked = True
        self._last = after if running.transactional else None
        self._add(running, after, seconds, taken)

    def _fails(self, context: Any) -> None:
        if context.connection is not self._connection:
            return
        running, self._running = self._running, None
        self._last = None
        if running is None:
            return
        taken: dict[int, set[str]] = {}
        if running.pause is not None:
            _, taken = await_only(self._gate.open(running.pause))
        state = sqlstate(context.sqlalchemy_exception or context.original_exception)
        self._add(running, running.before, 0.0, taken, error=state or "?")

    def _commits(self, connection: Any) -> None:
        if self._last is not None and connection is self._connection:
            self._last = replace(
                self._last, locks=frozenset(), work={}, lock_timeout_ms=self._lock_timeout_ms
            )
            # A revision without a statement: what the run wrote about it is not counted yet.
            self._looked = self._looked or not self._asked
            self._asked = False

    def _rolls_back(self, connection: Any) -> None:
        if connection is self._connection:
            self._last, self._undone = None, True

    def _before(self, session: Questions) -> State:
        """The state that the next statement finds."""
        last, inside = self._last, session.driver.is_in_transaction()
        if last is None or (self._looked and not inside):
            last = session.state()
            if not inside:
                self._lock_timeout_ms = last.lock_timeout_ms
                last = replace(last, work={})
        elif self._looked:
            last = replace(last, work=session.work())
        self._looked, self._last = False, last
        return last

    def _add(
        self,
        running: _Running,
        after: State,
        seconds: float,
        taken: dict[int, set[str]],
        error: str | None = None,
    ) -> None:
        before = running.before
        held = _by_relation(before)
        for oid, modes in _by_relation(after, without=before).items():
            taken.setdefault(oid, set()).update(modes)
        known = self._known

        def label(oid: int) -> str:
            found = before.relations.get(oid) or after.relations[oid]
            return found.label

        self.statements.append(
            Statement(
                revision=running.revision,
                path=running.path,
                line=running.line,
                number=sum(s.path == running.path for s in self.statements) + 1,
                sql=running.sql.strip(),
                transactional=running.transactional,
                effects=effects(before, after, known),
                locks=_strongest(taken, known, label),
                held=_strongest(held, known, label),
                tables={
                    label(i.oid): label(i.relation)
                    for i in before.indexes.values()
                    if i.oid in known and i.relation in known
                },
                parents={
                    label(r.oid): label(parent)
                    for r in {**after.relations, **before.relations}.values()
                    for parent in r.parents
                    if parent in before.relations or parent in after.relations
                },
                # The counters are of one transaction.
                work={label(o): w for o, w in work(before, after).items() if o in known}
                if running.transactional
                else {},
                rows={label(o): h.rows for o, h in self._held.items() if o in before.relations},
                bytes={label(o): h.bytes for o, h in self._held.items() if o in before.relations},
                seconds=seconds,
                lock_timeout_ms=after.lock_timeout_ms,
                former_lock_timeout_ms=before.lock_timeout_ms,
                error=error,
            )
        )

    def _place(self, sql: str) -> tuple[Path, int, str] | None:
        """The line of a revision file that is executing and its id, or None where none is."""
        frame: FrameType | None = sys._getframe(1)
        while frame is not None:
            folder = _folder(frame.f_code.co_filename)
            if folder == self._versions:
                path = Path(frame.f_code.co_filename)
                return path, frame.f_lineno, str(frame.f_globals.get("revision"))
            if folder.startswith(OURS) and _LOOKS.match(sql):
                return None
            frame = frame.f_back
        return None


@functools.lru_cache(maxsize=1000)
def _folder(path: str) -> str:
    """The folder of a file of code; every statement asks, and some fifty files are asked for."""
    return str(Path(path).parent)


class _Running:
    """A statement that was sent and has not answered."""

    def __init__(
        self,
        path: Path,
        line: int,
        revision: str,
        sql: str,
        transactional: bool,
        before: State,
        session: Questions,
        pause: Any,
    ) -> None:
        self.path = path
        self.line = line
        self.revision = revision
        self.sql = sql
        self.transactional = transactional
        self.before = before
        self.session = session
        self.pause = pause
        self.since_s = time.monotonic()


def _by_relation(state: State, without: State | None = None) -> dict[int, set[str]]:
    found: dict[int, set[str]] = {}
    for oid, mode in state.locks - (without.locks if without else frozenset()):
        if oid in state.relations or (without and oid in without.relations):
            found.setdefault(oid, set()).add(MODES[mode])
    return found


def _strongest(modes: dict[int, set[str]], known: frozenset[int], label: Any) -> dict[str, str]:
    return {label(o): strongest(m) or "" for o, m in sorted(modes.items()) if o in known}
