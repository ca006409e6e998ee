"""as_ctrl_c() lets SIGTERM and SIGHUP end a command in order, so that it removes what it made."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_SIGNALS = (signal.SIGTERM, signal.SIGHUP)


@contextmanager
def as_ctrl_c() -> Iterator[list[int]]:
    """Raise KeyboardInterrupt for these signals during the block; the list has those that came.

    A second one of a kind ends the process at once. One that the process ignores or handles
    already, as under nohup, is left alone.
    """
    came: list[int] = []

    def interrupt(number: int, _: FrameType | None) -> None:
        signal.signal(number, signal.SIG_DFL)
        came.append(number)
        raise KeyboardInterrupt

    is_main = threading.current_thread() is threading.main_thread()
    taken = [each for each in _SIGNALS if is_main and signal.getsignal(each) == signal.SIG_DFL]
    for each in taken:
        signal.signal(each, interrupt)
    try:
        yield came
    finally:
        for each in taken:
            signal.signal(each, signal.SIG_DFL)
