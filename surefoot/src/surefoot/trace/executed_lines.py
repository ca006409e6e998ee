"""ExecutedLines are the lines of a revision file that ran, and the one that runs now."""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

TOO_LONG = "it takes too long on the scratch database, and was stopped there"
# How often the time is looked at while no line begins.
ALARM_S = 5.0


class ExecutedLines:
    """Follows the function of one revision, by Python's hook for debuggers.

    A line is known however SQL came to be sent from it: also from a coroutine, and where the frames
    between the line and the driver are in another greenlet.
    """

    def __init__(self, folders: Collection[Path], longest_s: float) -> None:
        self.lines: set[int] = set()
        self._folders = {folder.resolve() for folder in folders}
        # Work that is not the revision's puts it off.
        self.until_s = time.monotonic() + longest_s
        self._frames: list[FrameType] = []
        self._pauses = 0
        # By the name of a file, whether it is the one of the revision; links lead to it, too.
        self._known: dict[str, bool] = {}
        self._file: Path | None = None

    @property
    def line(self) -> int:
        """The line that runs, in the innermost function of the file; 1 where none does."""
        return self._frames[-1].f_lineno if self._frames else 1

    @contextmanager
    def on(self) -> Iterator[None]:
        """Follow the functions of the file that are called in the block."""
        before = sys.gettrace()
        sys.settrace(self._called)
        try:
            with self._alarm():
                yield
        finally:
            sys.settrace(before)

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Python's hook slows everything down; the block runs no line of the revision."""
        before, self._pauses = sys.gettrace(), self._pauses + 1
        sys.settrace(None)
        try:
            yield
        finally:
            self._pauses -= 1
            sys.settrace(before)

    @contextmanager
    def _alarm(self) -> Iterator[None]:
        """Check during one long call too, such as `time.sleep`, where a signal can be handled."""
        is_main = threading.current_thread() is threading.main_thread()
        if not is_main or signal.getsignal(signal.SIGALRM) is not signal.SIG_DFL:
            yield
            return
        signal.signal(signal.SIGALRM, self._alarmed)
        signal.setitimer(signal.ITIMER_REAL, ALARM_S, ALARM_S)
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, signal.SIG_DFL)

    def _alarmed(self, *_: Any) -> None:
        if not self._pauses:
            self.check()

    def check(self) -> None:
        """On failure: RuntimeError, where the revision has run for too long."""
        if time.monotonic() > self.until_s:
            raise RuntimeError(TOO_LONG)

    def _called(self, frame: FrameType, _event: str, _argument: Any) -> Any:
        name = frame.f_code.co_filename
        if name not in self._known:
            self._known[name] = self._is_of_revision(Path(name).resolve())
        if not self._known[name]:
            return None
        self._frames.append(frame)
        return self._runs

    def _runs(self, frame: FrameType, event: str, _argument: Any) -> Any:
        if event == "line":
            self.lines.add(frame.f_lineno)
            self.check()
        elif event == "return" and frame in self._frames:
            self._frames.remove(frame)
        return self._runs

    def _is_of_revision(self, path: Path) -> bool:
        if self._file is None and not self._folders.isdisjoint(path.parents):
            self._file = path
        return path == self._file
