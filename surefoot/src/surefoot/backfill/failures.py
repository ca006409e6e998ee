"""Classifies the errors of a batch: try again with fewer rows, look for the row, or stop."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import asyncpg

from surefoot.connect.failures import (
    CANCELLED,
    DEADLOCK,
    LOCK_NOT_AVAILABLE,
    SERIALIZATION_FAILURE,
    describe,
    is_lost,
    named,
    sqlstate,
)
from surefoot.errors import BackfillStopped, SurefootError

Meaning = Literal["again", "row", "lost", "stop"]
_AGAIN = {SERIALIZATION_FAILURE, DEADLOCK, LOCK_NOT_AVAILABLE, CANCELLED}
# Classes of errors that come from the values of a row: data, constraints, cardinality, checks of a
# view, exceptions of functions and triggers, limits of a program such as the size of an index row.
_OF_ROWS = ("21", "22", "23", "2F", "38", "39", "44", "54", "P0")


class RowRefused(Exception):
    """`fill` raised an exception, or gave values that the table cannot take."""


def meaning(error: BaseException) -> Meaning:
    """The class of an error of a batch, by its SQLSTATE where it has one."""
    if isinstance(error, RowRefused):
        return "row"
    state = sqlstate(error)
    if isinstance(error, SurefootError):
        return "stop"
    if state is None:
        # asyncpg itself could not write a value.
        if isinstance(error, asyncpg.DataError):
            return "row"
        gone = (OSError, TimeoutError, asyncio.TimeoutError, asyncpg.InterfaceError)
        return "lost" if isinstance(error, (*gone, asyncpg.InternalClientError)) else "stop"
    # PostgreSQL reports a prepared statement whose table has changed as an unsupported feature.
    if state in _AGAIN or isinstance(error, asyncpg.InvalidCachedStatementError):
        return "again"
    if is_lost(error) or state.startswith("57P") or state == "53300":
        return "lost"
    return "row" if state.startswith(_OF_ROWS) else "stop"


@contextmanager
def before_batches(backfill: str) -> Iterator[None]:
    """Look at a batch before the first one. On failure: BackfillStopped, for SQL that cannot work.

    A run would keep a row that cannot be changed, and go on; a look at one batch says so.
    """
    try:
        yield
    except (RowRefused, asyncpg.PostgresError, asyncpg.DataError) as error:
        what = meaning(error)
        if what == "row":
            reason = str(error) if isinstance(error, RowRefused) else named(error)
            reason = f"a row of the first batch cannot be changed: {reason}"
            raise BackfillStopped(backfill, reason) from error
        privilege = isinstance(error, asyncpg.InsufficientPrivilegeError)
        if what == "stop" and not privilege:
            raise BackfillStopped(backfill, named(error)) from error
        raise


def words(error: BaseException) -> tuple[str | None, str]:
    """SQLSTATE and words of an error for the state, without the values of a row."""
    if isinstance(error, RowRefused):
        return None, str(error)
    state = sqlstate(error)
    # The server's own message may quote a value: "invalid input syntax for type integer: …".
    quoting = state is None or state.startswith(("22", "P0", "38", "39"))
    return state, type(error).__name__ if quoting else describe(error)
