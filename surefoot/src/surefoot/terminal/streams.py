"""A command outlasts its reader: `alembic history | head`, a log on a full disk, `2>&-`.

Without this the first line that nobody reads raises an error: in the middle of a run, where that
line is narration, or at the exit of the interpreter, which then reports it.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TextIO

from surefoot.terminal.kind import is_tty

# Called with each text for a terminal before it is written, while somebody draws there.
_watchers: list[Callable[[str], None]] = []


class Outlasting:
    """A stream that goes on into nothing where it cannot be written, so that the command goes on.

    `lost` is why something was not written, other than that its reader has gone: a disk that is
    full, a terminal that is gone.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.lost: Exception | None = None
        # Whether it is kept for the answer of a command.
        self.is_kept = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Write, and replace what the encoding of the terminal does not have."""
        if self.is_kept:
            return sys.stderr.write(text)
        for watcher in _watchers if is_tty(self._stream) else ():
            watcher(text)
        return self.write_unseen(text)

    def write_unseen(self, text: str) -> int:
        """Write for the one that draws."""
        try:
            return self._stream.write(text)
        except UnicodeEncodeError:
            encoding = self._stream.encoding or "ascii"
            return self.write_unseen(text.encode(encoding, "backslashreplace").decode(encoding))
        except (OSError, ValueError) as error:
            self._outlast(error)
        return len(text)

    def flush(self) -> None:
        """Write what is buffered."""
        try:
            self._stream.flush()
        except (OSError, ValueError) as error:
            self._outlast(error)

    def _outlast(self, error: Exception) -> None:
        if not isinstance(error, BrokenPipeError):
            self.lost = self.lost or error
        # A reader that is slow, of a stream that does not wait for it, is still there.
        if not isinstance(error, BlockingIOError):
            self._go_on_into_nothing()

    def _go_on_into_nothing(self) -> None:
        if self._stream.closed:
            self._stream = _nothing()
            return
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, self._stream.fileno())
        os.close(nothing)


def watch(watcher: Callable[[str], None]) -> Callable[[], None]:
    """Call `watcher` with each text for a terminal before it is written; the end of that."""
    _watchers.append(watcher)
    return lambda: _watchers.remove(watcher)


def outlast() -> None:
    """Let stdout and stderr of this process, and the logs on them, outlast their readers."""
    for name, number in (("stdout", 1), ("stderr", 2)):
        stream = getattr(sys, name)
        if stream is None:
            # It was closed before this process began. Its number must not become a connection's.
            stream = _nothing(number)
        if not isinstance(stream, Outlasting):
            outlasting = Outlasting(stream)
            setattr(sys, name, outlasting)
            for handler in _handlers():
                if handler.stream is stream:
                    handler.setStream(outlasting)


@contextmanager
def stdout_kept(is_kept: bool = True) -> Iterator[None]:
    """In the block, stdout is kept for the answer of a command: other prints go to stderr.

    They come from the code of the project: env.py, the models, a revision. The answer itself is
    written in a block where stdout is not kept.
    """
    stream = sys.stdout
    if not isinstance(stream, Outlasting):
        yield
        return
    before, stream.is_kept = stream.is_kept, is_kept
    try:
        yield
    finally:
        stream.is_kept = before


def lost_answer() -> str | None:
    """Why stdout lacks something that was written to it, after all of it is flushed."""
    sys.stdout.flush()
    lost = sys.stdout.lost if isinstance(sys.stdout, Outlasting) else None
    return (getattr(lost, "strerror", None) or str(lost)) if lost else None


def _handlers() -> Iterator[logging.StreamHandler[Any]]:
    """Those that the project has set up, as the env.py of `alembic init` does."""
    loggers = [logging.getLogger(), *logging.Logger.manager.loggerDict.values()]
    for logger in loggers:
        for handler in logger.handlers if isinstance(logger, logging.Logger) else ():
            if isinstance(handler, logging.StreamHandler):
                yield handler


def _nothing(number: int | None = None) -> TextIO:
    """A stream into nothing, which has that number if it is free."""
    descriptor = os.open(os.devnull, os.O_WRONLY)
    if number is not None and descriptor != number and not _is_open(number):
        os.dup2(descriptor, number)
        os.close(descriptor)
        descriptor = number
    return os.fdopen(descriptor, "w", encoding="utf-8")


def _is_open(number: int) -> bool:
    try:
        os.fstat(number)
    except OSError:
        return False
    return True
