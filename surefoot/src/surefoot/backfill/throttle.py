"""Lookout looks whether a backfill should give way to the service, its standbys and its vacuum.

    lookout = Lookout("files", limits.throttle)
    look = await lookout.look(connection)
    job.hold(look.reason)   # "replica eu-2 is 14 s behind", or None

One query reads the catalogs; `reasons()` and `unknown()` decide by what it found.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any, Literal

import asyncpg

from surefoot.backfill.catalogs import ARCHIVED, SEEN
from surefoot.backfill.probe import slow
from surefoot.connect.failures import named
from surefoot.connect.throttle import Throttle
from surefoot.frozen import dataclass
from surefoot.wording import counted, duration, size

Kind = Literal["replica", "slot", "lock", "transaction", "vacuum", "wal", "archiver", "probe"]
# From one look to the next the rate of WAL is taken over at least so long.
_RATE_S = 1.0


@dataclass(frozen=True)
class Reason:
    """Why a backfill should pause."""

    kind: Kind
    text: str

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True)
class Look:
    """The reasons to pause, and what could not be looked at and was not told before."""

    reasons: Sequence[Reason]
    untold: Sequence[str] = ()

    @property
    def reason(self) -> str | None:
        """The first reason as text, or None where nothing that was seen is one."""
        return self.reasons[0].text if self.reasons else None


@dataclass(frozen=True)
class Seen:
    """The contents of the catalogs at one moment; hidden are rows that the role cannot read."""

    # By the server's clock, and the WAL that it has ever written.
    at_s: float
    wal_bytes: int
    # Name, seconds behind if they are known, bytes behind.
    replicas: Sequence[tuple[str, float | None, int]]
    hidden_replicas: int
    # Name, bytes that are not confirmed if they are known, state of its WAL.
    slots: Sequence[tuple[str, int | None, str | None]]
    waiting: int
    # The oldest transaction: of whom, seconds.
    oldest: tuple[str, float] | None
    hidden_sessions: int
    # Table, and the word for who is at work.
    vacuums: Sequence[tuple[str, str]]
    hidden_vacuums: int
    # The last file that the archiver failed at and has not archived since, if it fails.
    failed_file: str | None
    # None where the role may not look, 0 where nothing is archived.
    archive_files: int | None
    is_table: bool


def reasons(seen: Seen, wal_rate: float | None, throttle: Throttle) -> Iterator[Reason]:
    """The reasons to pause; `wal_rate` is in bytes a second, None where it is not known yet."""
    yield from _of_replication(seen, throttle)
    yield from _of_table(seen, throttle)
    if wal_rate is not None and _over(wal_rate, throttle.wal_bytes_per_s):
        yield Reason("wal", f"the server writes {size(wal_rate)} of WAL a second")
    if throttle.archive_files is not None and seen.failed_file:
        yield Reason("archiver", f"the archiver fails at {seen.failed_file}")
    if _over(seen.archive_files, throttle.archive_files):
        yield Reason(
            "archiver", f"{counted(seen.archive_files or 0, 'file', 'waits/wait')} to be archived"
        )


def _of_replication(seen: Seen, throttle: Throttle) -> Iterator[Reason]:
    for name, seconds, behind in seen.replicas:
        if seconds is not None and _over(seconds, throttle.replica_lag_s):
            yield Reason("replica", f"replica {name} is {duration(seconds)} behind")
        elif _over(behind, throttle.replica_lag_bytes):
            yield Reason("replica", f"replica {name} is {size(behind)} behind")
    for name, unconfirmed, state in seen.slots if throttle.slot_lag_bytes is not None else ():
        if state == "lost":
            yield Reason("slot", f"slot {name} has lost its WAL: drop it")
        elif state == "unreserved":
            yield Reason("slot", f"slot {name} is about to lose its WAL")
        elif unconfirmed is not None and _over(unconfirmed, throttle.slot_lag_bytes):
            yield Reason("slot", f"slot {name} is {size(unconfirmed)} behind")


def _of_table(seen: Seen, throttle: Throttle) -> Iterator[Reason]:
    if throttle.waiting_locks is not None and seen.waiting >= throttle.waiting_locks:
        yield Reason(
            "lock", f"{counted(seen.waiting, 'session', 'waits/wait')} for a lock on the table"
        )
    if seen.oldest and _over(seen.oldest[1], throttle.transaction_age_s):
        who, age = seen.oldest
        yield Reason("transaction", f"{who} is {duration(age)} old and holds back vacuum")
    for table, who in seen.vacuums if throttle.vacuum else ():
        yield Reason("vacuum", f"{who} of {table} is at work")


def unknown(seen: Seen, throttle: Throttle) -> Iterator[str]:
    """The thresholds that could not be compared, each with the reason."""
    if not seen.is_table and (throttle.waiting_locks is not None or throttle.vacuum):
        yield "locks and vacuum: the table is not there"
    lag = (throttle.replica_lag_s, throttle.replica_lag_bytes)
    if seen.hidden_replicas and lag != (None, None):
        yield f"how far replicas are behind: {_MAY_NOT}"
    if seen.hidden_sessions and throttle.transaction_age_s is not None:
        yield f"how old the transactions of other roles are: {_MAY_NOT}"
    if seen.hidden_vacuums and throttle.vacuum:
        yield f"which table a vacuum is at work on: {_MAY_NOT}"
    if seen.archive_files is None and throttle.archive_files is not None:
        yield f"how many files wait to be archived: {_MAY_NOT}"


_MAY_NOT = "the role is no member of pg_monitor"


def wal_rate(former: Seen | None, seen: Seen) -> float | None:
    """Bytes of WAL a second between two looks; None where they are too close."""
    seconds = seen.at_s - former.at_s if former else 0.0
    return (seen.wal_bytes - former.wal_bytes) / seconds if former and seconds >= _RATE_S else None


class Lookout:
    """Looks again and again, and keeps the former look for the rate of WAL."""

    def __init__(self, table: str, throttle: Throttle) -> None:
        """`table` is its name as SQL writes it."""
        self._table, self._throttle = table, throttle
        self._former: Seen | None = None
        self._rate: float | None = None
        self._told: set[str] = set()

    async def look(self, connection: asyncpg.Connection[Any]) -> Look:
        """The reasons to pause, on a connection outside of a transaction.

        Sessions whose application_name is the same up to the first @ are those of the backfill.

        On failure: errors of the connection.
        """
        throttle = self._throttle
        found: list[Reason] = []
        not_seen: list[str] = []
        try:
            seen = await see(connection, self._table)
            self._remember(seen)
            found += reasons(seen, self._rate, throttle)
            not_seen += unknown(seen, throttle)
        except asyncpg.InsufficientPrivilegeError as error:
            not_seen.append(f"the catalogs: {named(error)}")
        if throttle.probe and (why := await slow(connection, throttle.probe, throttle.probe_ms)):
            found.append(Reason("probe", why))
        untold = [each for each in not_seen if each not in self._told]
        self._told.update(untold)
        return Look(found, untold)

    def _remember(self, seen: Seen) -> None:
        rate = wal_rate(self._former, seen)
        if self._former is None or rate is not None:
            self._former, self._rate = seen, rate


async def see(connection: asyncpg.Connection[Any], table: str) -> Seen:
    """Read the catalogs. On failure: InsufficientPrivilegeError, errors of the connection."""
    read = json.loads(await connection.fetchval(SEEN, table))
    may_count = read.pop("may_count")
    files = 0 if may_count is None else None
    if may_count:
        files = await connection.fetchval(ARCHIVED)
    return Seen(**read, archive_files=files)


def _over(value: float | None, threshold: float | None) -> bool:
    return value is not None and threshold is not None and value > threshold
