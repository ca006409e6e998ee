"""Screen writes lines that stay to a terminal, and below them a few lines that it draws again.

    APPLY  shop: 2 revisions, 0001 to 0003          stays
      1 of 2  0002  Add jobs.priority  0.3 s        stays
                                                    the cursor waits at the begin of this line
      2 of 2  0003  Index jobs  41 s                drawn again
        38 %: building index: scanning table        drawn again

Others write to the same terminal. For a revision that prints, and for a log, what is drawn is
cleared. The text of another program begins where the cursor waits, and stays. After a resize, all
that is to be cleared is still below the cursor. The cursor is never hidden: a process that is
killed leaves a usable terminal.

One thread writes. A terminal that takes nothing (Ctrl-S, a network that is gone) stops that thread
and not the run, which may hold locks.
"""

import queue
import sys
import threading
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any

from surefoot.errors.disclosure import disclosed
from surefoot.terminal.cells import cut
from surefoot.terminal.kind import size
from surefoot.terminal.streams import watch

DRAW_EVERY_S = 0.2
_CLEAR = "\r\x1b[J"
# Lines to draw now, for a terminal of so many columns.
Frame = Callable[[int], Sequence[str]]


class Screen:
    """The terminal for as long as the block lasts; at its end nothing is left but what was said."""

    def __init__(self, frame: Frame, stream: Any = None) -> None:
        self._frame, self._stream = frame, stream or sys.stderr
        self._said: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._writing = threading.Lock()
        self._drawn: tuple[str, ...] = ()
        # Whether somebody else has begun a line and not ended it.
        self._is_begun = False
        self._thread = threading.Thread(target=self._run, name="surefoot screen", daemon=True)

    def __enter__(self) -> "Screen":
        self._unwatch = watch(self._make_way)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: Any, traceback: TracebackType | None
    ) -> None:
        self._said.put(None)
        self._thread.join()
        self._unwatch()

    @property
    def columns(self) -> int:
        """The cells of a line that the terminal does not wrap, now."""
        # The last column stays free: some terminals wrap a line that fills it.
        return size(self._stream)[0] - 1

    def say(self, line: str) -> None:
        """Write a line that stays, soon."""
        self._said.put(line)

    def _run(self) -> None:
        while self._turn():
            pass

    def _turn(self) -> bool:
        """Write what was said, and draw; False at the end."""
        said: list[str] = []
        try:
            line = self._said.get(timeout=DRAW_EVERY_S)
            while line is not None:
                said.append(line)
                line = self._said.get_nowait()
        except queue.Empty:
            self._draw(said, self._lines())
            return True
        self._draw(said, ())
        return False

    def _lines(self) -> tuple[str, ...]:
        columns, rows = self.columns, size(self._stream)[1]
        lines = (cut(self._known(line), columns) for line in self._frame(columns))
        return tuple(map(self._known, lines))[: max(rows - 2, 0)]

    def _known(self, line: str) -> str:
        """The line in characters that the terminal's encoding has, each as wide as it is shown."""
        encoding = self._stream.encoding or "ascii"
        return disclosed(line).encode(encoding, "replace").decode(encoding)

    def _draw(self, said: Sequence[str], lines: tuple[str, ...]) -> None:
        with self._writing:
            if self._is_begun and said:
                said, self._is_begun = ["", *said], False
            if self._is_begun or (not said and lines == self._drawn):
                return
            text = _CLEAR if self._drawn else ""
            text += "".join(f"{disclosed(line)}\n" for line in said)
            if lines:
                text += "".join(f"\n{line}" for line in lines) + f"\r\x1b[{len(lines)}A"
            self._write(text)
            self._drawn = lines

    def _make_way(self, text: str) -> None:
        """Somebody else is about to write."""
        with self._writing:
            if self._drawn:
                self._write(_CLEAR)
                self._drawn = ()
            self._is_begun = not text.endswith("\n")

    def _write(self, text: str) -> None:
        getattr(self._stream, "write_unseen", self._stream.write)(text)
        self._stream.flush()
