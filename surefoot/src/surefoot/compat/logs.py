"""The logging of a program whose env.py would set it up again.

Alembic's templates call `logging.config.fileConfig`, which disables every logger that exists and
closes every handler: right for a command, and the end of the log of a service that migrates.
"""

import logging.config
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from typing import Any

_is_kept = ContextVar("the logging is kept", default=False)
_file_config = logging.config.fileConfig


@wraps(_file_config)
def _unless_kept(*arguments: Any, **options: Any) -> None:
    if not _is_kept.get():
        _file_config(*arguments, **options)


@contextmanager
def kept() -> Iterator[None]:
    """In the block `fileConfig` does nothing, also in what is called by a task of it."""
    logging.config.fileConfig = _unless_kept
    token = _is_kept.set(True)
    try:
        yield
    finally:
        _is_kept.reset(token)
