"""LockTimeout gives each statement of a revision the lock timeout of its class.

Beside a lock that readers or writers wait for, all further waits together are no longer than one
may be.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from sqlalchemy import CursorResult
from sqlalchemy.exc import SQLAlchemyError

from surefoot.connect import sender
from surefoot.operations.lock_class import LockClass, lock_class
from surefoot.run.locks.waits import BLOCKS_OTHERS
from surefoot.run.run import Run

# The first attempt's lock timeout, however long later ones may wait.
LOOK_S = 0.2
# Zero would be no lock timeout.
SHORTEST_S = 0.01
_UNKNOWN_S = -1.0


class LockTimeout:
    """The lock timeout of the session, and that of the statement that is about to be sent."""

    # The one that the session came with.
    session_s = 0.0
    # The class of the step outside the transaction that runs.
    step_class: LockClass = "short"

    def __init__(self, run: Run, unobserved: Callable[[], AbstractContextManager[None]]) -> None:
        self._run, self._unobserved = run, unobserved
        self._now_s = self.session_s

    def reset(self) -> None:
        """The end of a transaction has reset what was local to it."""
        self._now_s = self.session_s

    def forget(self) -> None:
        """The one that is set now is not known."""
        self._now_s = _UNKNOWN_S

    @property
    def bound_s(self) -> float:
        """How long others may wait in this attempt. The first only learns who blocks."""
        bound_s = self._run.limits.lock_timeout_s
        return min(bound_s, LOOK_S) if self._run.recorder.attempts == 1 else bound_s

    def class_of(self, statement: str) -> LockClass:
        """The class of a statement that runs while the transaction has the locks that it has."""
        if self._run.recorder.running is None or lock_class(statement) == "short":
            return "short"
        return "short" if self._execute(f"SELECT {BLOCKS_OTHERS}").scalar() else "patient"

    def class_in_step(self, statement: str) -> LockClass:
        """The class of a statement outside of the transaction."""
        is_short = "short" in (self.step_class, lock_class(statement))
        return "short" if is_short and sender.revision() is not None else self.step_class

    def limit(self, wanted: LockClass, *, is_local: bool) -> None:
        """Leave the statement the time that the waits before it have left."""
        for statement in self.setting(wanted, is_local=is_local):
            self._execute(statement)

    def _execute(self, statement: str) -> CursorResult[Any]:
        """Run it before the statement of the revision, whatever options that has."""
        with self._unobserved():
            return self._run.connection.exec_driver_sql(
                statement, execution_options={"stream_results": False}
            )

    def setting(self, wanted: LockClass, *, is_local: bool) -> tuple[str, ...]:
        """The statement for that, where the session has another lock timeout."""
        limits, waited_s = self._run.limits, self._run.observer.waited_s
        timeout_s = max(self.bound_s - waited_s, SHORTEST_S)
        if wanted == "patient":
            timeout_s = limits.patient_lock_timeout_s
        if timeout_s == self._now_s:
            return ()
        self._now_s = timeout_s
        # Outside of a transaction there is nothing that it would be local to.
        return (f"SET {'LOCAL ' if is_local else ''}lock_timeout = {timeout_s * 1000:.0f}",)

    @contextmanager
    def step(self, wanted: LockClass) -> Iterator[None]:
        """Give the session the lock timeout of a class, for a block outside of a transaction."""
        self._run.observer.attempt_begins()
        limits = self._run.limits
        self.step_class = wanted
        timeout_s = limits.patient_lock_timeout_s if wanted == "patient" else self.bound_s
        self._now_s = timeout_s
        self._run.connection.exec_driver_sql(f"SET lock_timeout = {timeout_s * 1000:.0f}")
        try:
            yield
        finally:
            self.step_class = "short"
            self.restore()

    def restore(self) -> None:
        """Leave the session as it came, also where the run was asked to stop."""
        connection = self._run.connection
        if connection.invalidated:
            return
        self._now_s = self.session_s
        try:
            with self._unobserved():
                connection.exec_driver_sql(f"SET lock_timeout = {self.session_s * 1000:.0f}")
        except SQLAlchemyError:
            # The first to notice that the connection is lost has to report it.
            if connection.invalidated:
                raise
