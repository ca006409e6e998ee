"""ExecutedLines are the lines of a revision file that ran, and the one that runs now."""

from __future__ import annotations

import sys
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any


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
            yield
        finally:
            sys.settrace(before)

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Python's hook slows everything down; the block runs no line of the revision."""
        before = sys.gettrace()
        sys.settrace(None)
        try:
            yield
        finally:
            sys.settrace(before)

    def check(self) -> None:
        """On failure: RuntimeError, where the revision has run for too long."""
        if time.monotonic() > self.until_s:
            raise RuntimeError("it takes too long on the scratch database, and was stopped there")

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
