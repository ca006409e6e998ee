"""The log of the service: lines of text, or JSON with one object a line, on stderr.

Our own messages from `log_level` on, warnings of other libraries, and each request where the access
log is on. As JSON it has the announcements of the command too, and the error that ends it.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import copy
from datetime import datetime, timezone
from typing import Any

from app.settings import Settings
from surefoot.cli import output
from surefoot.errors import SurefootError

PACKAGES = ("app", "surefoot")
# Requests, as uvicorn tells them, and the values of their messages.
REQUESTS = "uvicorn.access"
_REQUEST = ("client", "method", "path", "http_version", "status")
_ANNOUNCEMENTS = "vegafs"


class TextLines(logging.Formatter):
    """A message as text, in which the words of others begin no line of their own."""

    def format(self, record: logging.LogRecord) -> str:
        shown = copy(record)
        if isinstance(record.args, tuple):
            told = output.in_line
            shown.args = tuple(told(a) if isinstance(a, str) else a for a in record.args)
        return super().format(shown)


class JsonLines(logging.Formatter):
    """A message as one JSON object: `at`, `level`, `logger`, `message`, and what is known of it."""

    def format(self, record: logging.LogRecord) -> str:
        """The object on one line, with passwords masked."""
        at = datetime.fromtimestamp(record.created, timezone.utc)
        value: dict[str, Any] = {
            "at": at.isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.name == REQUESTS and isinstance(record.args, tuple):
            value |= zip(_REQUEST, record.args, strict=False)
        if isinstance(error := getattr(record, "error", None), SurefootError):
            value |= {"exit_code": error.exit_code, **error.as_json()}
        if record.exc_info:
            value["exception"] = self.formatException(record.exc_info)
        return output.as_line(value)


def set_up(settings: Settings) -> Callable[[str], None]:
    """Log as the settings want; the function that announces what the command does."""
    handler = logging.StreamHandler()
    handler.setFormatter(TextLines("%(asctime)s  %(message)s"))
    if settings.log_format == "json":
        handler.setFormatter(JsonLines())
    level = logging.getLevelName(settings.log_level.upper())
    logging.basicConfig(level=max(level, logging.WARNING), handlers=[handler], force=True)
    for package in PACKAGES:
        logging.getLogger(package).setLevel(level)
    for always in (REQUESTS, _ANNOUNCEMENTS):
        logging.getLogger(always).setLevel(logging.INFO)
    is_text = settings.log_format == "text"
    return output.narrate if is_text else logging.getLogger(_ANNOUNCEMENTS).info


@contextmanager
def ended_by(settings: Settings) -> Iterator[None]:
    """An error that ends the block is a line of the log, where that is JSON, and its exit code."""
    try:
        yield
    except Exception as error:
        if settings.log_format == "text":
            raise
        meant = output.understood(error)
        known = {"error": meant}
        logging.getLogger(_ANNOUNCEMENTS).log(logging.ERROR, "%s", meant.message, extra=known)
        sys.exit(meant.exit_code)
