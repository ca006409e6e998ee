"""Prepared statements that a session keeps, safe from changes of the schema by other sessions.

    prepare -> kept? -> run -> failed as one that is out of date does -> undo -> parse again, run

PostgreSQL notices by itself where a kept statement means something else than it did: it plans it
again, or refuses it and aborts the transaction. The first statement of a transaction can be run
again in a new one. A later one gets a savepoint, which is sent in one go with it. Once it has run,
the locks of the transaction hold its tables as they are, and it needs none.

Private names of asyncpg. Checked with asyncpg 0.32.

Connection._transport  asyncpg sends one message and waits for its answer. The savepoint is written
                       before it, without a Sync: the answers of both come together, and asyncpg
                       passes over those that it does not await.
Connection._protocol   counts the statements that it has sent, by whichever method.
Connection._drop_local_statement_cache, _drop_local_type_cache
                       what `reload_schema_state` does; the first also where a codec is set.
"""

from __future__ import annotations

import os
import re
import struct
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, Literal

import asyncpg
from asyncpg.transaction import Transaction

from surefoot.compat.asyncpg import Connection, UnpreparedStatement, control_word
from surefoot.compat.heard import HEARD
from surefoot.compat.kept_statement import STALE, KeptStatement, is_perhaps_stale

# As many as SQLAlchemy and asyncpg keep.
KEPT = 100
# A transaction with more than 64 savepoints that write costs other sessions time.
MAX_SAVEPOINTS = 32
# Those whose plans are worth keeping; a CALL may commit.
_PLANNED = re.compile(
    r"(?:\s|\(|/\*.*?\*/|--[^\n]*\n)*(?:SELECT|INSERT|UPDATE|DELETE|MERGE|VALUES|WITH)\b",
    re.IGNORECASE | re.DOTALL,
)
# It may leave the transaction, or those after it, with a snapshot that does not change.
_SNAPSHOT = re.compile(r"\bisolation.*?\b(?:repeatable|serializable)", re.IGNORECASE | re.DOTALL)
# PostgreSQL does not look whether a later object hides one that a kept statement names.
_HIDES = re.compile(
    r"\b(?:CREATE|ALTER)\s+(?:(?:OR\s+REPLACE|LOCAL|GLOBAL|TEMP|TEMPORARY|UNLOGGED|FOREIGN"
    r"|MATERIALIZED|RECURSIVE)\s+)*(?:TABLE|VIEW|SEQUENCE|FUNCTION|TYPE)\b"
    r"|(?<!INSERT )(?<!MERGE )\bINTO\s+(?:LOCAL\s+|GLOBAL\s+)?(?:TEMP|TEMPORARY|pg_temp)\b",
    re.IGNORECASE,
)
# It may lead names elsewhere, by the search path or the role.
_SETS = re.compile(r"\bset_config\b", re.IGNORECASE)
_OF_ONE_TRANSACTION = re.compile(r"\s*(?:BEGIN|START|SET\s+(?:LOCAL|TRANSACTION))\b", re.IGNORECASE)

# To undo a failed statement takes nothing where no transaction is open, a ROLLBACK where it was the
# first, or a ROLLBACK TO its savepoint.
Undo = Literal["nothing", "transaction", "savepoint"]
SAVEPOINT = "surefoot_statement"
# To an older snapshot PostgreSQL shows a table as empty that was rewritten since. An error is
# better than to run a statement again on one.
_LATEST = ("read_committed", "read_uncommitted")
_PROBE = (
    "SELECT pg_backend_pid(), replace(current_setting('default_transaction_isolation'), ' ', '_')"
)


def unsent(statement: str) -> bytes:
    """The messages for a statement without parameters and rows, as they come before a Sync."""
    parts = (
        (b"P", b"\0" + statement.encode() + b"\0\0\0"),
        (b"B", bytes(8)),
        (b"E", bytes(5)),
    )
    return b"".join(kind + struct.pack("!i", len(body) + 4) + body for kind, body in parts)


_GUARD = unsent(f"SAVEPOINT {SAVEPOINT}")


class KeepingConnection(Connection):
    """A connection that keeps the statements that SQLAlchemy prepares, in a session of its own."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.keeps = False
        # Whether a statement that is out of date is run again by who has sent it.
        self.repeats = False
        # How to undo the statement that failed, where it is to be run again.
        self._undo: Undo | None = None
        self._probe: Any = None
        self._ping: Any = None
        self._kept: OrderedDict[str, KeptStatement] = OrderedDict()
        # No two sessions have the same: a pooler that is not seen never runs another's statement.
        self._names = f"surefoot_{os.urandom(8).hex()}"
        self._count = 0
        self._heard = HEARD.changes
        self._level = self._default_level = ""
        self._begin()

    def _begin(self) -> None:
        """The state of a transaction in which nothing has run yet."""
        # How many statements the connection had sent with its BEGIN.
        self._sent_before = -1
        # The statements whose tables the transaction has locked.
        self.held: set[str] = set()
        self._savepoints = 0

    @property
    def has_run(self) -> bool:
        """Whether the open transaction may have run a statement, also one of a raw connection."""
        sent: int = self._protocol.queries_count  # type: ignore[attr-defined]  # private
        return self.is_in_transaction() and sent != self._sent_before

    def _unknown(self, query: str) -> None:
        """A statement that may change what the transaction has locked, or what it sees."""
        self.held.clear()
        if _HIDES.search(query):
            self._kept.clear()
        if _SNAPSHOT.search(query):
            self._level = ""
            if not _OF_ONE_TRANSACTION.match(query):
                self._default_level = ""

    async def find_whether_to_keep(self) -> None:
        """Keep statements from now on, unless the session is a pooler's.

        A pooler has sessions of its own, and tells a client none of their processes.
        """
        self._probe = await super().prepare(_PROBE, name="")
        pid, self._default_level = await self._probe.fetchrow()
        self.keeps = pid == self.get_server_pid()

    async def prepare(self, query: str, *, name: Any = None, **options: Any) -> Any:
        """The statement: kept, parsed, or sent as it is. SQLAlchemy gives the name ""."""
        if name != "" or options:
            return await super().prepare(query, name=name, **options)
        self._undo = None
        if not self.has_run and self._heard != HEARD.changes:
            await self.reload_schema_state()
        if not self.keeps:
            return await self._parse(query)
        if self.held and _SETS.search(query):
            self.held.clear()
        kept = self._kept.get(query)
        if kept is None and (
            not _PLANNED.match(query) or _SNAPSHOT.search(query) or _HIDES.search(query)
        ):
            if control_word(query) not in (None, "SHOW"):
                return UnpreparedStatement(self, query)
            self._unknown(query)
            return await super().prepare(query, name="")
        if not self.repeats or (self._savepoints >= MAX_SAVEPOINTS and query not in self.held):
            return await self._parse(query)
        if kept is not None:
            self._kept.move_to_end(query)
            return kept
        return await self._keep(query)

    async def _parse(self, query: str) -> KeptStatement:
        return KeptStatement(self, query, await super().prepare(query, name=""), is_kept=False)

    async def _keep(self, query: str) -> KeptStatement:
        self._count += 1
        parsed = await super().prepare(query, name=f"{self._names}_{self._count}")
        kept = self._kept[query] = KeptStatement(self, query, parsed)
        if len(self._kept) > KEPT:
            self._kept.popitem(last=False)
        return kept

    def transaction(self, **options: Any) -> Transaction:
        """A transaction, or a savepoint in the one that the server is in."""
        if not self.is_in_transaction():
            self._begin()
            self._level = options.get("isolation") or self._default_level
        return super().transaction(**options)

    async def execute(self, query: str, *args: Any, timeout: float | None = None) -> str:
        """Run statements, as asyncpg does."""
        was_inside = self.is_in_transaction()
        try:
            return await super().execute(query, *args, timeout=timeout)
        finally:
            # A ROLLBACK TO a savepoint unlocks what was locked after it.
            self._unknown(query)
            if not self.is_in_transaction():
                self._begin()
            elif not was_inside and control_word(query) in ("BEGIN", "START"):
                self._sent_before = self._protocol.queries_count  # type: ignore[attr-defined]  # private

    async def executemany(
        self, command: str, args: Iterable[Sequence[Any]], *, timeout: float | None = None
    ) -> None:
        """Run a statement for each of several sets of parameters."""
        if self.repeats and timeout is None and _PLANNED.match(command):
            await (await self.prepare(command, name="")).executemany(args)
        else:
            self._unknown(command)
            await super().executemany(command, args, timeout=timeout)

    # COPY is not counted.
    async def copy_to_table(self, *args: Any, **options: Any) -> str:
        self._sent_before = -1
        return await super().copy_to_table(*args, **options)

    async def copy_records_to_table(self, *args: Any, **options: Any) -> str:
        self._sent_before = -1
        return await super().copy_records_to_table(*args, **options)

    async def copy_from_query(self, *args: Any, **options: Any) -> str:
        self._sent_before = -1
        return await super().copy_from_query(*args, **options)

    async def ping(self) -> None:
        """Ask whether the server is there. On failure: whatever it fails with."""
        try:
            if self._ping is None:
                # Without a name it is parsed in the same message, and is there after a DISCARD ALL.
                self._ping = await super().prepare(";", name="")
            await self._ping.fetch()
        except asyncpg.InternalClientError as error:
            # The server has said why it ends the session, and its connection is not closed yet.
            self.terminate()
            raise asyncpg.InterfaceError("connection is closed") from error

    async def reload_schema_state(self) -> None:
        """Drop the statements and the types that are kept."""
        self._heard = HEARD.changes
        await super().reload_schema_state()

    def _drop_local_statement_cache(self) -> None:
        """Drop the statements, also those whose type the service has given another codec."""
        self._kept.clear()
        super()._drop_local_statement_cache()  # type: ignore[misc]  # private

    async def run(
        self, query: str, send: Callable[[], Awaitable[Any]], *, is_kept: bool = True
    ) -> Any:
        """Run a statement that the transaction has not run yet; a kept one may get a savepoint."""
        is_inside, has_run = self.is_in_transaction(), self.has_run
        undo: Undo | None = "transaction" if is_inside else "nothing"
        guards = is_kept and has_run
        if has_run:
            undo = "savepoint" if guards and self._level in _LATEST else None
        if guards and not self.is_closed():
            self._transport.write(_GUARD)  # type: ignore[attr-defined]  # private
            self._savepoints += 1
        try:
            found = await send()
        except Exception as error:
            await self._failed(query, error, undo, guards=guards)
            raise
        if is_inside:
            self.held.add(query)
        return found

    async def _failed(
        self, query: str, error: Exception, undo: Undo | None, *, guards: bool
    ) -> None:
        if guards and "severity" not in vars(error):
            # asyncpg has sent nothing, and the server waits for a Sync.
            try:
                await self._probe.fetch()
            except Exception:
                # The transaction had failed before, or the session is gone.
                return
        if not is_perhaps_stale(error):
            return
        self._kept.pop(query, None)
        if undo != "nothing" or not isinstance(error, asyncpg.OutdatedSchemaCacheError):
            # Else it has run and is committed; only its rows could not be read.
            self._undo = undo
        if isinstance(error, STALE):
            HEARD.change()
            await self.reload_schema_state()
        else:
            self._drop_local_type_cache()  # type: ignore[attr-defined]  # private

    def to_undo(self) -> Undo | None:
        """How to undo the statement that has just failed, if it is to be run again."""
        undo, self._undo = self._undo, None
        return undo

    async def undo_savepoint(self) -> None:
        """Undo the statement that failed last, and no more."""
        await super().execute(f"ROLLBACK TO SAVEPOINT {SAVEPOINT}")
