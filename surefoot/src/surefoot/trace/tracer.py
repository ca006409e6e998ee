"""Tracer records every statement that a revision file executes during a run.

Between two statements it takes a Snapshot in the session of the run: the schema as the transaction
sees it, the locks that the session holds, the rows that it read and wrote. A statement outside a
transaction releases its locks when it ends, so a LockProbe observes it while it runs.
"""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import FrameType
from typing import Any

from sqlalchemy import Engine, event

from surefoot.compat.sqlalchemy import await_only
from surefoot.connect.failures import sqlstate
from surefoot.trace.effects import activity, effects
from surefoot.trace.lock_modes import MODES, strongest
from surefoot.trace.lock_probe import Finish, LockProbe
from surefoot.trace.session import TracedSession
from surefoot.trace.sizes import TableSize
from surefoot.trace.snapshot import Snapshot
from surefoot.trace.statement import Statement
from surefoot.version_table import VersionTable

# Queries and settings of the library itself, such as an operation that looks an index up before it
# builds one, are not statements of the revision. They come from a module of this package that a
# revision called; the tracer's own modules are below every statement.
_LIBRARY = f"{__name__.partition('.')[0]}."
_TRACE = f"{__name__.rpartition('.')[0]}."
_READS = re.compile(r"\s*(?:SELECT|SET|RESET|SHOW)\b", re.IGNORECASE)


class Tracer:
    """Collects the statements of a run on an engine."""

    def __init__(
        self, versions: Path, probe: LockProbe, version_table: VersionTable = VersionTable()
    ) -> None:
        self._version_table = version_table
        # With a separator: every statement asks some fifty frames whether they are below it.
        self._versions = f"{versions.resolve()}{os.sep}"
        self._probe = probe
        self.statements: list[Statement] = []
        self._revision: Path | None = None
        self._known: frozenset[int] = frozenset()
        # The Snapshot after the last statement, while nothing else has changed the schema since.
        self._last: Snapshot | None = None
        # The lock timeout of the session, which is in force again when a transaction ends.
        self._lock_timeout_ms = 0
        # Whether a statement that is not of the revision has read rows since then.
        self._foreign_reads = False
        # Whether a Snapshot was taken in the transaction: it makes PostgreSQL count at its end.
        self._asked = False
        self._session: TracedSession | None = None
        self._running: _Running | None = None
        self._sizes: Mapping[int, TableSize] = {}
        # The connection of that revision; the run uses others of the engine to watch it.
        self._connection: Any = None
        # Whether its transaction was rolled back.
        self._rolled_back = False

    @contextmanager
    def on(self, engine: Engine, sizes: Mapping[int, TableSize]) -> Iterator[None]:
        """Trace the statements of the engine during the block, on tables of these sizes."""
        self._sizes = sizes
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
        """Drop the statements of the last revision: it failed and is run again."""
        self.statements = [s for s in self.statements if s.path != self._revision]
        self._revision = None

    def _begins(self, connection: Any, _cursor: Any, sql: str, *_: Any) -> None:
        if self._version_table.name in sql:
            # The version table and the ledger: written last in a transaction, and no part of the
            # schema of the revision.
            return
        place = self._place(sql)
        if place is None:
            self._foreign_reads = self._foreign_reads or connection is self._connection
            return
        path, line, revision = place
        if connection is not self._connection:
            self._connection, self._last = connection, None
        driver: Any = connection.connection.driver_connection
        transactional = connection.get_execution_options().get("isolation_level") != "AUTOCOMMIT"
        if self._session is None or self._session.driver is not driver:
            self._session = TracedSession(driver)
        before = self._before(self._session)
        if path == self._revision and self._rolled_back:
            # The lock timed out, and the run repeats the revision.
            self.forget_last_revision()
        self._rolled_back = False
        if path != self._revision:
            self._revision = path
            self._known = frozenset(before.relations)
        finish = None
        if not transactional:
            tables = [r for r in before.relations.values() if r.kind in "rpm"]
            finish = await_only(self._probe.start(driver.get_server_pid(), tables))
        number = sum(s.path == path for s in self.statements) + 1
        statement = Statement(revision, path, line, number, sql.strip(), transactional)
        self._running = _Running(statement, before, self._session, finish)

    def _ends(self, connection: Any, *_: Any) -> None:
        if connection is self._connection and (running := self._running):
            seconds, taken = self._finished(running)
            after = running.session.snapshot()
            self._asked = True
            self._last = after if running.statement.transactional else None
            self._add(running, after, taken, seconds=seconds)

    def _fails(self, context: Any) -> None:
        if context.connection is not self._connection:
            return
        self._last = None
        if running := self._running:
            _, taken = self._finished(running)
            state = sqlstate(context.sqlalchemy_exception or context.original_exception)
            self._add(running, running.before, taken, error=state or "?")

    def _finished(self, running: _Running) -> tuple[float, dict[int, set[str]]]:
        """The seconds that it took, and the locks that the probe saw."""
        self._running = None
        if running.finish is None:
            return time.monotonic() - running.since_s, {}
        return await_only(running.finish())

    def _commits(self, connection: Any) -> None:
        if self._last is not None and connection is self._connection:
            self._last = replace(
                self._last, locks=frozenset(), activity={}, lock_timeout_ms=self._lock_timeout_ms
            )
            # A revision without a statement: PostgreSQL has not counted the rows of the run yet.
            self._foreign_reads = self._foreign_reads or not self._asked
            self._asked = False

    def _rolls_back(self, connection: Any) -> None:
        if connection is self._connection:
            self._last, self._rolled_back = None, True

    def _before(self, session: TracedSession) -> Snapshot:
        """The Snapshot before the next statement."""
        last, inside = self._last, session.driver.is_in_transaction()
        if last is None or (self._foreign_reads and not inside):
            last = session.snapshot()
            if not inside:
                self._lock_timeout_ms = last.lock_timeout_ms
                last = replace(last, activity={})
        elif self._foreign_reads:
            last = replace(last, activity=session.activity())
        self._foreign_reads, self._last = False, last
        return last

    def _add(
        self, running: _Running, after: Snapshot, taken: dict[int, set[str]], **more: Any
    ) -> None:
        before, known = running.before, self._known
        for oid, modes in _by_relation(after, without=before).items():
            taken.setdefault(oid, set()).update(modes)
        relations = {**after.relations, **before.relations}

        def label(oid: int) -> str:
            return relations[oid].label

        # PostgreSQL counts rows by transaction.
        counted = activity(before, after) if running.statement.transactional else {}
        sizes = {label(o): size for o, size in self._sizes.items() if o in before.relations}
        self.statements.append(
            replace(
                running.statement,
                effects=effects(before, after, known),
                locks=_strongest(taken, known, label),
                held=_strongest(_by_relation(before), known, label),
                tables={
                    label(i.oid): label(i.relation)
                    for i in before.indexes.values()
                    if i.oid in known and i.relation in known
                },
                parents={
                    label(r.oid): label(parent)
                    for r in relations.values()
                    for parent in r.parents
                    if parent in relations
                },
                activity={label(o): work for o, work in counted.items() if o in known},
                rows={name: size.rows for name, size in sizes.items()},
                bytes={name: size.bytes for name, size in sizes.items()},
                lock_timeout_ms=after.lock_timeout_ms,
                former_lock_timeout_ms=before.lock_timeout_ms,
                **more,
            )
        )

    def _place(self, sql: str) -> tuple[Path, int, str] | None:
        """The file, line and id of the revision that executes this; None for any other caller."""
        frame: FrameType | None = sys._getframe(1)
        while frame is not None:
            if frame.f_code.co_filename.startswith(self._versions):
                path = Path(frame.f_code.co_filename)
                return path, frame.f_lineno, str(frame.f_globals.get("revision"))
            module = str(frame.f_globals.get("__name__"))
            if module.startswith(_LIBRARY) and not module.startswith(_TRACE) and _READS.match(sql):
                return None
            frame = frame.f_back
        return None


@dataclass(frozen=True)
class _Running:
    """A statement that has not ended yet."""

    statement: Statement
    before: Snapshot
    session: TracedSession
    finish: Finish | None
    since_s: float = field(default_factory=time.monotonic)


def _by_relation(state: Snapshot, without: Snapshot | None = None) -> dict[int, set[str]]:
    found: dict[int, set[str]] = {}
    for oid, mode in state.locks - (without.locks if without else frozenset()):
        if oid in state.relations or (without and oid in without.relations):
            found.setdefault(oid, set()).add(MODES[mode])
    return found


def _strongest(modes: dict[int, set[str]], known: frozenset[int], label: Any) -> dict[str, str]:
    return {label(o): strongest(m) or "" for o, m in sorted(modes.items()) if o in known}
