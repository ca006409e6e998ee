"""listening() lets functions follow the statements of a connection, for a block."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import event

Listener = tuple[Any, str, Callable[..., Any]]


@contextmanager
def listening(*listeners: Listener) -> Iterator[None]:
    """Call each function at the event of its target; one before a statement may replace it."""
    for target, name, function in listeners:
        event.listen(target, name, function, retval=name == "before_cursor_execute")
    try:
        yield
    finally:
        for listener in listeners:
            event.remove(*listener)
