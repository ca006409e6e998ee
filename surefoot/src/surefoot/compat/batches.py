"""Batches are statements that a connection sends together, while the program goes on.

    put off, put off, … -> a message of many -> the program prepares the next -> its answer

Any other message of the connection waits for them. Once one of them has failed, all messages fail
with its error but the ROLLBACK: which of a batch has failed is not known, nor are those behind it
run.

Private names of asyncpg. Checked with asyncpg 0.32.

Connection._protocol   sends the message of a batch, past the stand-in that waits for it.
get_text_codec         encodes it, by the encoding that the session has just then.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import asyncpg

from surefoot.compat.observed import observe

# So many statements are in a message. Their transaction is open all the time.
SIZE = 25
# After so long without a message a statement is not put off: the program is slow, not the server,
# which may end a session that is idle; signals and answers wait for the program, too.
QUIET_S = 0.25
# DDL of one statement, whose end does not depend on what follows, and which counts no rows. Two
# functions tell of the message in which they are called. NUL ends a message.
_MAY_WAIT = re.compile(
    r"\s*(?:ALTER|COMMENT|CREATE|DROP)\s(?!.*\b(?:AS|current_query|statement_timestamp)\b)"
    r"[^'\"$;\\/\0-]*(?:(?:'[^'\\\0]*'|\"[^\"\0]*\"|/(?!\*)|-(?!-))[^'\"$;\\/\0-]*)*",
    re.IGNORECASE | re.DOTALL,
)
# A function that is given the time of an answer, by the clock of `time.monotonic`.
WhenAnswered = Callable[[float], None]


def may_wait(statement: str) -> bool:
    """Whether a statement can be sent behind others in one message, and runs as it does alone."""
    return _MAY_WAIT.fullmatch(statement) is not None


@dataclass
class _Batch:
    """The statements of one message, who sends each, and who waits for its answer."""

    statements: list[str] = field(default_factory=list)
    senders: list[str] = field(default_factory=list)
    waiting: list[WhenAnswered] = field(default_factory=list)
    answer: asyncio.Future[Any] | None = None
    # When it was sent, and when the server had answered all before it.
    sent_s: float = 0.0
    free_s: float = 0.0


class Batches:
    """Those of one connection, in the transaction that is open."""

    def __init__(self, connection: asyncpg.Connection[asyncpg.Record]) -> None:
        of: Any = connection
        self._protocol = of._protocol
        self._end = observe(connection, self._around, lookups=True)
        self._sent, self._next = _Batch(), _Batch()
        # The error of the one that failed, until a ROLLBACK.
        self._error: Exception | None = None
        # Who has sent the statements of the batch that has failed.
        self.failed: Sequence[str] = ()
        # When the last message was sent, and when the last answer was seen.
        self._message_s = self._answer_s = time.monotonic()

    def can_send(self, statement: str) -> bool:
        """Whether the encoding of the session has all of its characters.

        asyncpg ends the connection for a message of which that is not true.
        """
        try:
            self._protocol.get_settings().get_text_codec().encode(statement)
        except UnicodeEncodeError:
            return False
        return True

    async def put_off(self, statement: str, sender: str = "") -> None:
        """Send it later, with others. On failure: the error of one before it."""
        if self._error is not None:
            raise self._error
        self._next.statements.append(statement)
        self._next.senders.append(sender)
        if len(self._next.statements) >= SIZE:
            await self._send()

    @property
    def is_waiting(self) -> bool:
        """Whether some have no answer."""
        return bool(self._next.statements) or self._sent.answer is not None

    @property
    def is_quiet(self) -> bool:
        """Whether the server has got no message for QUIET_S."""
        return time.monotonic() - self._message_s > QUIET_S

    def when_answered(self, function: WhenAnswered) -> None:
        """Call it when all that was put off until now is done; at once, where nothing is.

        The time is that of the answer, without the time for which the server had nothing to do.
        """
        now_s = time.monotonic()
        if not self.is_waiting:
            function(now_s)
            return
        batch = self._next if self._next.statements else self._sent

        def answered(at_s: float) -> None:
            function(at_s - max(batch.sent_s - max(now_s, batch.free_s), 0.0))

        batch.waiting.append(answered)

    def end(self) -> None:
        """Nothing is put off any more."""
        self._end()

    async def _send(self) -> None:
        await self._answered()
        self._sent, self._next = self._next, _Batch()
        self._sent.free_s, self._sent.sent_s = self._answer_s, time.monotonic()
        self._message_s = self._sent.sent_s
        message = ";\n".join(self._sent.statements)
        self._sent.answer = asyncio.ensure_future(self._protocol.query(message, None))
        # Where nobody comes back to it, asyncio does not complain.
        self._sent.answer.add_done_callback(lambda sent: sent.cancelled() or sent.exception())
        await asyncio.sleep(0)  # it goes off here

    async def _answered(self) -> None:
        """Wait for the one under way. On failure: its error."""
        answer, self._sent.answer = self._sent.answer, None
        if answer is None:
            return
        try:
            await answer
        except Exception as error:
            raise self._failed(error) from None
        except BaseException:
            self._failed(asyncpg.InterfaceError("the program was cancelled"))
            raise
        self._answer_s = time.monotonic()
        for function in self._sent.waiting:
            function(self._answer_s)

    def _failed(self, error: Exception) -> Exception:
        self._error, self._next, self.failed = error, _Batch(), self._sent.senders
        return error

    async def _around(
        self, query: str, send: Callable[[], Awaitable[Any]], _: Sequence[Sequence[Any]]
    ) -> Any:
        if query in ("ROLLBACK", "ROLLBACK;"):
            self._next, failed = _Batch(), self.failed
            # Who rolls back knows of their error, or does not want to.
            with contextlib.suppress(Exception):
                await self._answered()
            self._error, self.failed = None, failed
        elif self._error is not None:
            raise self._error
        else:
            if self._next.statements:
                await self._send()
            await self._answered()
        try:
            return await send()
        finally:
            self._message_s = self._answer_s = time.monotonic()
