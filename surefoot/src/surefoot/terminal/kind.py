"""The kind of stderr: one place decides whether it is drawn on, coloured, or used to ask."""

import os
import sys
from typing import Any


def draws(stream: Any = None) -> bool:
    """Whether stderr is a terminal that can draw a line again, and a reader who wants that.

    Nothing is drawn for a screen reader, which ACCESSIBLE asks for, nor where TERM is `dumb` or
    missing: each of them gets plain lines.
    """
    return _is_terminal(stream or sys.stderr) and not os.environ.get("ACCESSIBLE")


def colours(stream: Any = None) -> bool:
    """Whether stderr is a terminal with colours, and no NO_COLOR."""
    return _is_terminal(stream or sys.stderr) and not os.environ.get("NO_COLOR")


def emphasized(text: str) -> str:
    """An error as stderr takes it: only the state word in front is coloured."""
    word, space, rest = text.partition(" ")
    return f"\x1b[31m\x1b[1m{word}\x1b[0m{space}{rest}" if colours() else text


def asks() -> bool:
    """Whether a person sees a question on stderr, and can answer it."""
    return is_tty(sys.stdin) and is_tty(sys.stderr)


def _is_terminal(stream: Any) -> bool:
    return is_tty(stream) and os.environ.get("TERM", "") not in ("", "dumb")


def is_tty(stream: Any) -> bool:
    """Whether the stream leads to a terminal, of whichever kind."""
    try:
        return bool(stream.isatty())
    except (AttributeError, ValueError, OSError):  # there is no stream, or it is closed
        return False


def size(stream: Any) -> tuple[int, int]:
    """The columns and rows of a terminal; 80 and 24 where it does not know."""
    try:
        columns, rows = os.get_terminal_size(stream.fileno())
    except (AttributeError, ValueError, OSError):
        columns = rows = 0
    return columns or 80, rows or 24
