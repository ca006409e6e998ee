"""Messages are the statements that a run adds behind those of a revision, in its transaction."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager

from surefoot.run.question import send, send_with_commit
from surefoot.run.run import Run
from surefoot.run.upgrade.lock_timeout import LockTimeout


class Messages:
    """They undo what the revision has set in its session, and write the rows about it."""

    def __init__(
        self,
        run: Run,
        lock_timeout: LockTimeout,
        unobserved: Callable[[], AbstractContextManager[None]],
    ) -> None:
        self._run, self._connection = run, run.connection
        self._lock_timeout, self._unobserved = lock_timeout, unobserved

    def restore(self, *rows: str) -> bool:
        """Undo the settings and write rows now; False where one does not write one row."""
        messages = ((*self._restoring(), *rows[:1]), *((row,) for row in rows[1:]))
        self._run.observer.statement_begins(self._lock_timeout.bound_s)
        with self._unobserved():
            is_written = all(send(self._connection, *each) == 1 for each in messages)
        self._run.observer.statement_ends()
        return is_written or not rows

    def write(self, rows: Sequence[str]) -> None:
        """Undo the settings and write rows with the commit that is to come."""
        self._run.observer.statement_begins(self._lock_timeout.bound_s)
        with self._unobserved():
            send_with_commit(self._connection, *self._restoring(), *rows)
        self._run.observer.statement_ends()

    def _restoring(self) -> Sequence[str]:
        restored = self._run.settings.restored(but_counts=self._run.counts_losses)
        self._lock_timeout.reset()
        return (*restored, *self._lock_timeout.setting("short", is_local=True))
