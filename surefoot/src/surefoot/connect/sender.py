"""Sender is who sends a message to the server: the function of a revision, or the run around it.

A run sends statements of its own between those of a revision: lock timeouts, ledger rows, lookups.
The two are told apart by who sends them, never by their text.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar

_REVISION: ContextVar[str | None] = ContextVar("revision", default=None)
_OWN: ContextVar[bool] = ContextVar("own", default=False)
# Entered around the function of each revision; a trace follows it this way.
AROUND: ContextVar[Callable[[str], AbstractContextManager[None]]] = ContextVar(
    "around", default=lambda _: nullcontext()
)


def revision() -> str | None:
    """The revision that sends what is sent now; None for a statement of the run itself."""
    return None if _OWN.get() else _REVISION.get()


@contextmanager
def function_of(identifier: str) -> Iterator[None]:
    """The block is the function of a revision."""
    token = _REVISION.set(identifier)
    try:
        with AROUND.get()(identifier):
            yield
    finally:
        _REVISION.reset(token)


@contextmanager
def own(is_own: bool = True) -> Iterator[None]:
    """The block sends statements of the run; with False again those of the revision."""
    token = _OWN.set(is_own)
    try:
        yield
    finally:
        _OWN.reset(token)
