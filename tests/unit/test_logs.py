"""Lines of the service's log."""

import logging

import pytest

from app.cli.logs import TextLines

FORMAT = "%(levelname)s  %(message)s"


@pytest.mark.parametrize(
    ("told", "line"),
    [
        ("odd/d\n2026-01-01 forged", "odd/d\\n2026-01-01 forged"),
        ("\x1b[2J\r\u202e", "\\x1b[2J\\x0d\\u202e"),
        ("postgresql://u:hidden@host/shop", "postgresql://u:***@host/shop"),
        ("Größe", "Größe"),
    ],
)
def test_the_words_of_others_begin_no_line(told: str, line: str) -> None:
    """A path and a name may have any character."""
    given = (1, "scan", told)
    record = logging.LogRecord("app", logging.INFO, "", 1, "job %d: %s of %s", given, None)
    assert TextLines(FORMAT).format(record) == f"INFO  job 1: scan of {line}"
    assert record.args == given


def test_a_message_of_ours_keeps_its_lines() -> None:
    record = logging.LogRecord("app", logging.INFO, "", 1, "APPLY  shop\n  100%", None, None)
    assert TextLines(FORMAT).format(record) == "INFO  APPLY  shop\n  100%"
