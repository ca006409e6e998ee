"""explain() turns what a driver raises into an error that names the database and what helps.

It knows an answer to every error of a driver: DatabaseFailed, where no other fits.
"""

from __future__ import annotations

import asyncio
import getpass
import os
import re
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import asyncpg

from surefoot import errors
from surefoot.errors import SurefootError
from surefoot.errors.names import setting
from surefoot.wording import listed

if TYPE_CHECKING:
    from sqlalchemy import URL

# SQLSTATEs, PostgreSQL documentation, appendix A.
LOGIN_NOT_ALLOWED = "28000"
WRONG_PASSWORD = "28P01"  # noqa: S105 - a code
DATABASE_MISSING = "3D000"
SCHEMA_MISSING = "3F000"
PERMISSION_MISSING = "42501"
UNDEFINED_TABLE = "42P01"
UNDEFINED_FUNCTION = "42883"
UNDEFINED_COLUMN = "42703"
# A type, an index or a constraint.
UNDEFINED_OBJECT = "42704"
DISK_FULL = "53100"
NOT_SUPPORTED = "0A000"
NOT_NULL_VIOLATION = "23502"
# By pg_cancel_backend() or by statement_timeout.
CANCELLED = "57014"
LOCK_NOT_AVAILABLE = "55P03"
PROTOCOL_VIOLATION = "08P01"
PREPARED_STATEMENT_MISSING = "26000"
SERIALIZATION_FAILURE = "40001"
DEADLOCK = "40P01"
# The server chose this transaction to end, or was told to.
TRY_AGAIN = (SERIALIZATION_FAILURE, DEADLOCK, CANCELLED)
# Starting up, shutting down, terminated, full, and every connection exception (class 08).
FULL = "53300"
UNREACHABLE = ("57P01", "57P02", "57P03", FULL)
# Ends of a session from outside: terminated, crashed, a timeout on idle or long transactions.
SESSION_ENDED = ("57P01", "57P02", "57P05", "25P03", "25P04")
# Functions of the server whose errors list objects in their DETAIL, in the language of the server.
_TELLS_DEPENDENTS = (
    "reportDependentObjects",
    "ATExecAlterColumnType",
    "RememberAllDependentForRebuilding",  # of newer servers
)
# On Python 3.10 asyncio's timeout is an exception of its own.
SILENCE = (OSError, TimeoutError, asyncio.TimeoutError)
# asyncpg has no other mark of a connection that had ended before a statement. Where it has heard
# why the server ends the session, and the end has not arrived, that is an InternalClientError.
_CLOSED = "connection is closed"
_ENDED = "the connection was closed before a session began"
# Of asyncpg itself: SQLAlchemy 2.0 hands on what connecting met as the driver said it.
DRIVER = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)


def sqlstate(error: BaseException) -> str | None:
    """The server's code for what went wrong, wherever in the chain of causes it is."""
    for cause in _causes(error):
        state = getattr(cause, "sqlstate", None)
        if isinstance(state, str):
            return state
    return None


def column(error: BaseException) -> tuple[str | None, str | None]:
    """The table and the column that the server names in an error."""
    cause = next(_causes(error))
    return getattr(cause, "table_name", None), getattr(cause, "column_name", None)


def is_lost(error: BaseException) -> bool:
    """Whether the connection that the error came from is gone."""
    state = sqlstate(error)
    if state is not None:
        return state in SESSION_ENDED or state.startswith("08")
    from sqlalchemy.exc import DBAPIError  # noqa: PLC0415 - a first look does without

    first, *_ = causes = list(_causes(error))
    if _is_closed(first) or isinstance(first, asyncpg.InternalClientError):
        return True
    return isinstance(error, DBAPIError) and (
        error.connection_invalidated or any(isinstance(cause, SILENCE) for cause in causes)
    )


def _is_closed(error: BaseException) -> bool:
    """Whether the connection had ended before a statement."""
    return isinstance(error, asyncpg.InterfaceError) and _CLOSED in str(error)


def _refused(
    cause: BaseException, state: str, user: str, at: str, reason: str
) -> SurefootError | None:
    """The error of ours where the server answered, and there is no session."""
    if state == WRONG_PASSWORD:
        return errors.LoginRefused(user, at, reason)
    if state == LOGIN_NOT_ALLOWED:
        return errors.LoginNotAllowed(user, at, reason)
    # asyncpg has no class for a server without TLS.
    if isinstance(cause, ssl.SSLCertVerificationError) or (
        isinstance(cause, ConnectionError) and "rejected SSL upgrade" in str(cause)
    ):
        return errors.TlsFailed(at, reason)
    return None


def explain(error: BaseException, url: URL) -> SurefootError | None:
    """The error of ours that says what the driver's means; None for an error of no driver."""
    from sqlalchemy.exc import DBAPIError  # noqa: PLC0415 - a first look does without

    if not isinstance(error, (DBAPIError, *DRIVER, *SILENCE)):
        return None
    database = url.database or url.username or "(default)"
    user = url.username or getpass.getuser()
    cause, state, reason = next(_causes(error)), sqlstate(error) or "", describe(error)
    if isinstance(cause, asyncpg.exceptions.ClientConfigurationError):
        return errors.DatabaseUrlInvalid(setting("database"), reason)
    ended = is_fatal(error)
    silent = not state and isinstance(error, SILENCE)
    if refused := _refused(cause, state, user, address(url), reason):
        return refused
    if state == DATABASE_MISSING:
        return errors.DatabaseMissing(database, address(url))
    if state == SCHEMA_MISSING:
        return errors.SchemaMissing(database, reason)
    if state == PERMISSION_MISSING:
        return errors.PermissionMissing(user, database, reason)
    if state == PROTOCOL_VIOLATION and "startup parameter" in reason:
        return errors.PoolerRefused(address(url), reason)
    if state == PROTOCOL_VIOLATION and "pooling mode" in reason:
        return errors.PoolerWithoutTransactions(address(url), reason)
    if state == CANCELLED:
        return errors.StatementCancelled(database, reason)
    if state == LOCK_NOT_AVAILABLE:
        return errors.TableLocked(database)
    if ended and state[:2] in ("22", "42"):  # a setting in the URL that the server does not take
        return errors.DatabaseUrlInvalid(setting("database"), reason)
    if ended or silent or is_lost(error) or state in UNREACHABLE:
        return errors.DatabaseUnreachable(database, address(url), reason, is_full=state == FULL)
    return errors.DatabaseFailed(database, named(error))


def is_fatal(error: BaseException) -> bool:
    """Whether the server ended the session, or refused it; in any language that it speaks."""
    cause = next(_causes(error))
    return getattr(cause, "severity_en", None) in ("FATAL", "PANIC") or isinstance(
        cause, asyncpg.TargetServerAttributeNotMatched
    )


@contextmanager
def explained(url: URL) -> Iterator[None]:
    """Driver errors of the block as errors of ours."""
    try:
        yield
    except Exception as error:
        if (meant := explain(error, url)) is None:
            raise
        raise meant from error


def describe(error: BaseException) -> str:
    """The server's or the system's own words, without SQL, parameters and wrappers."""
    deepest = next(_causes(error))
    if isinstance(deepest, (TimeoutError, asyncio.TimeoutError)):
        return "no answer in time"
    if isinstance(deepest, OSError):
        # asyncio puts the address into the text, and several addresses into one text.
        numbered = re.search(r"\[Errno (\d+)\]", str(deepest))
        if numbered:
            return os.strerror(int(numbered[1]))
        # asyncpg names its own function where a connection has ended before it was made.
        ended = isinstance(deepest, ConnectionError) and "connection_lost" in str(deepest)
        return deepest.strerror or (_ENDED if ended else str(deepest))
    if _is_closed(deepest):
        return _CLOSED  # without the method that was called
    if isinstance(deepest, asyncpg.TargetServerAttributeNotMatched):
        return "no host is one that its target_session_attrs asks for"
    if isinstance(deepest, asyncpg.InternalClientError):
        # The server's last words came between two statements, and asyncpg did not keep them.
        return "the server has ended the session"
    # asyncpg's text goes on with DETAIL and HINT lines, and a DETAIL quotes the row.
    text = str(deepest.args[0]) if deepest.args else ""
    return f"{text.strip() or type(deepest).__name__}{_dependents(deepest)}"


def hint_of(error: BaseException) -> str:
    """The HINT of an error; empty without one. Those of PostgreSQL itself quote no row."""
    return " ".join((getattr(next(_causes(error)), "hint", None) or "").split())


def _dependents(error: BaseException) -> str:
    """The objects that depend on what a statement changes, as its DETAIL has them, and no row."""
    if getattr(error, "server_source_function", None) not in _TELLS_DEPENDENTS:
        return ""
    needing = (getattr(error, "detail", None) or "").splitlines()
    return f" ({listed(needing, '; ', most=3)})" if needing else ""


def has_dependents(error: BaseException) -> bool:
    """Whether PostgreSQL refused a change because other objects depend on what it changes."""
    return any(map(_dependents, _causes(error)))


def named(error: BaseException) -> str:
    """The words of `describe`, with the name and the SQLSTATE of the error."""
    name, state = type(next(_causes(error))).__name__, sqlstate(error)
    reason = describe(error)
    code = f"{name}, SQLSTATE {state}" if state else name
    return reason if reason == name else f"{reason} ({code})"


def address(url: URL) -> str:
    """Where the engine connects, for people."""
    if url.host is None:
        return "the default server"
    return f"{url.host}:{url.port}" if url.port else url.host


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The driver's error first, then the wrappers around it."""
    chain: list[BaseException] = []
    current: BaseException | None = error
    while current is not None and current not in chain:
        chain.append(current)
        current = getattr(current, "orig", None) or current.__cause__
    return reversed(chain)
