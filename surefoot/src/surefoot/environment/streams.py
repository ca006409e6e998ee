"""A command outlasts its reader: `alembic history | head`.

Without this the first line that nobody reads raises BrokenPipeError: in the middle of a run, where
that line is narration, or at the exit of the interpreter, which then reports it.
"""

import os
import sys
from typing import Any, TextIO


class Outlasting:
    """A stream that goes on into nothing where its reader has gone."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Write, and replace what the encoding of the terminal does not have."""
        try:
            return self._stream.write(text)
        except BrokenPipeError:
            self._go_on_into_nothing()
        except UnicodeEncodeError:
            encoding = self._stream.encoding or "ascii"
            known = text.encode(encoding, "backslashreplace").decode(encoding)
            return self._stream.write(known)
        return len(text)

    def flush(self) -> None:
        """Write what is buffered."""
        try:
            self._stream.flush()
        except BrokenPipeError:
            self._go_on_into_nothing()

    def _go_on_into_nothing(self) -> None:
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, self._stream.fileno())
        os.close(nothing)


def outlast() -> None:
    """Let stdout and stderr of this process outlast their readers."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is not None and not isinstance(stream, Outlasting):
            setattr(sys, name, Outlasting(stream))
