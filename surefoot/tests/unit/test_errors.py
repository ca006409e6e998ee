"""Every error has what `surefoot explain CODE` prints."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest
from alembic.script import ScriptDirectory

from surefoot.connect.failures import describe, is_lost
from surefoot.environment.commandline import understood
from surefoot.errors import Interrupted, RevisionUnknown, SurefootError, Temporary


def classes(of: type[SurefootError] = SurefootError) -> Iterator[type[SurefootError]]:
    for found in of.__subclasses__():
        if found.__module__.startswith("surefoot."):
            yield found
            yield from classes(found)


def test_every_error_has_a_code_and_a_docstring_of_its_own() -> None:
    """A code stands for one class; UpgradeFailed has that of its branch, whose failure it is."""
    found = list(classes())
    codes = Counter(each.code for each in found)
    assert [code for code, count in codes.items() if count > 1] == ["run-failed"]
    for each in found:
        assert "code" in vars(each), each
        assert (each.__doc__ or "").splitlines()[0].endswith("."), each


def test_an_interrupted_run_exits_by_its_signal() -> None:
    """The class keeps the code of Ctrl-C."""
    assert [Interrupted(by).exit_code for by in (None, 2, 15)] == [130, 130, 143]
    assert (Interrupted.exit_code, Temporary.exit_code) == (130, 75)
    assert Interrupted(15).as_json()["exit_code"] == 143


def test_an_empty_name_is_no_revision(tmp_path: Path) -> None:
    """Alembic answers it with an assertion."""
    (tmp_path / "versions").mkdir()
    with pytest.raises(AssertionError) as raised:
        list(ScriptDirectory(tmp_path).iterate_revisions("", "base"))
    assert isinstance(understood(raised.value), RevisionUnknown)


@pytest.mark.parametrize(
    ("error", "lost"),
    [
        (asyncpg.InterfaceError("connection is closed"), True),
        (asyncpg.InterfaceError("another operation is in progress"), False),
        (RuntimeError("the connection is closed"), False),
    ],
)
def test_only_the_driver_says_that_a_connection_is_closed(error: Exception, lost: bool) -> None:
    """A revision may raise an error with the same text about something else."""
    assert is_lost(error) == lost


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (
            asyncpg.InterfaceError(
                "cannot call EndingTransaction.rollback(): the underlying connection is closed"
            ),
            "connection is closed",
        ),
        (
            ConnectionError("unexpected connection_lost() call"),
            "the connection was closed before a session began",
        ),
        (ConnectionResetError(104, "Connection reset by peer"), "Connection reset by peer"),
        (OSError("Multiple exceptions: [Errno 111] a, [Errno 111] b"), "Connection refused"),
    ],
)
def test_a_lost_connection_is_told_without_names_of_code(error: Exception, words: str) -> None:
    """Those of asyncpg's functions, and of the library's classes."""
    assert describe(error) == words
