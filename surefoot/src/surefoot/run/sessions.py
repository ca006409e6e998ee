"""Sessions of the server as its statistics views show them, to a run and to the overview.

blockers(pid)        the sessions that a backend waits for
mutex_holder(key)    the session that runs a migration
progress(pid)        how far an index build, a CLUSTER, a VACUUM, an ANALYZE or a COPY is
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from surefoot.frozen import dataclass
from surefoot.wording import duration

if TYPE_CHECKING:
    from sqlalchemy import Connection

# The advisory locks of a run that waits between two attempts, and how its last query begins; see
# `run.locks.pause`. In their keys -1, the process of some prepared transactions, is 2**18 - 1.
SPACE = 0x1F07
AGAIN = "-- waits until its blockers have ended, then sends again: "
# pg_blocking_pids() stops all locking for a moment: MATERIALIZED calls it once.
_BLOCKERS = f"""
WITH announced AS MATERIALIZED (
    SELECT coalesce(nullif(classid::bigint % 262144, 262143), -1) || '/' || objid
           AS virtualtransaction
    FROM pg_catalog.pg_locks
    WHERE pid = {{pid}} AND locktype = 'advisory' AND mode = 'ShareLock' AND objsubid = 1
    AND classid::bigint / 262144 = {SPACE}),
blocking AS MATERIALIZED (
    SELECT unnest(pg_blocking_pids({{pid}})) AS pid
    UNION SELECT coalesce(pid, 0) FROM pg_catalog.pg_locks
        JOIN announced USING (virtualtransaction))
SELECT a.pid, coalesce(nullif(a.application_name, ''), a.usename, a.backend_type, 'no name'),
       coalesce(a.state, a.backend_type, 'state hidden'),
       extract(epoch FROM clock_timestamp() - a.xact_start)::float8,
       coalesce(a.query, ''),
       (SELECT count(*) FROM (SELECT DISTINCT pid FROM pg_catalog.pg_locks WHERE NOT granted) w
        WHERE a.pid = ANY (pg_blocking_pids(w.pid))),
       (SELECT min(l.virtualtransaction) FROM pg_catalog.pg_locks l WHERE l.pid = a.pid)
FROM pg_catalog.pg_stat_activity a JOIN blocking USING (pid)
UNION ALL
SELECT 0, p.owner, p.gid, extract(epoch FROM clock_timestamp() - p.prepared)::float8, '', 0,
       own.virtualtransaction
FROM pg_catalog.pg_prepared_xacts p
JOIN pg_catalog.pg_locks own ON own.transactionid = p.transaction AND own.pid IS NULL
WHERE EXISTS (SELECT FROM blocking WHERE pid = 0) AND (
    own.virtualtransaction IN (SELECT virtualtransaction FROM announced) OR EXISTS (
    SELECT FROM pg_catalog.pg_locks other
    JOIN pg_catalog.pg_locks wanted
        ON (wanted.database, wanted.relation) = (other.database, other.relation)
    WHERE other.virtualtransaction = own.virtualtransaction AND other.pid IS NULL
      AND wanted.pid = {{pid}} AND NOT wanted.granted))
ORDER BY 4 DESC NULLS LAST, 1
"""  # noqa: S608 - constants
_MUTEX_HOLDER = """
SELECT a.pid, coalesce(a.application_name, ''),
       extract(epoch FROM clock_timestamp() - a.backend_start)::float8, coalesce(a.query, ''),
       CASE WHEN a.state = 'active'
            THEN extract(epoch FROM clock_timestamp() - a.query_start)::float8 END
FROM pg_catalog.pg_locks l JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid
WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
  AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())
  AND l.classid = {high}::oid AND l.objid = {low}::oid
"""
_PROGRESS = """
SELECT phase, CASE WHEN blocks_total > 0 THEN blocks_done::float8 / blocks_total
                   WHEN tuples_total > 0 THEN tuples_done::float8 / tuples_total END
FROM pg_catalog.pg_stat_progress_create_index WHERE pid = {pid}
UNION ALL
SELECT phase, CASE WHEN heap_blks_total > 0 THEN heap_blks_scanned::float8 / heap_blks_total END
FROM pg_catalog.pg_stat_progress_cluster WHERE pid = {pid}
UNION ALL
SELECT phase, CASE WHEN heap_blks_total > 0 THEN heap_blks_scanned::float8 / heap_blks_total END
FROM pg_catalog.pg_stat_progress_vacuum WHERE pid = {pid}
UNION ALL
SELECT phase,
       CASE WHEN sample_blks_total > 0 THEN sample_blks_scanned::float8 / sample_blks_total END
FROM pg_catalog.pg_stat_progress_analyze WHERE pid = {pid}
UNION ALL
SELECT 'copying rows', CASE WHEN bytes_total > 0 THEN bytes_processed::float8 / bytes_total END
FROM pg_catalog.pg_stat_progress_copy WHERE pid = {pid}
"""
# In one pass: a quote in a comment begins no literal. One that is cut lasts to the end.
_TOKENS = re.compile(
    r"""
    (?P<name>"(?:[^"]|"")*(?:"|\Z))
  | (?P<comment>--[^\n]*|/\*.*?(?:\*/|\Z))
  | (?<![\w$])\$(?P<tag>(?:[^\W\d]\w*)?)\$.*?(?:\$(?P=tag)\$|\Z)
  | (?<![\w$])[eE]'(?:[^'\\]|\\.|'')*(?:'|\Z)
  | '(?:[^']|'')*(?:'|\Z)
  | (?<![\w$])\d+(?:\.\d+)?\b
    """,
    re.VERBOSE | re.DOTALL,
)
# More of a query says no more of its shape.
_LOOKED_AT = 5000
_SPACE = re.compile(r"\s+")
MAX_QUERY = 120


@dataclass(frozen=True)
class Blocker:
    """A session that another one waits for, or a prepared transaction, which has no session."""

    pid: int
    application: str
    state: str
    # Hidden from a role without pg_read_all_stats, where the session is another user's.
    transaction_s: float | None
    query: str
    # How many sessions wait for it.
    queue: int = 0
    # The server's number of its transaction, as pg_locks shows it.
    transaction: str | None = None

    def __str__(self) -> str:
        age = "an unknown time" if self.transaction_s is None else duration(self.transaction_s)
        if self.pid == 0:
            return (
                f"prepared transaction {self.state!r} of {self.application}, for {age}: "
                "COMMIT PREPARED or ROLLBACK PREPARED ends it"
            )
        return (
            f"pid {self.pid} {self.application}, {self.state}, in a transaction for {age}: "
            f"{self.query}"
        )


@dataclass(frozen=True)
class MutexHolder:
    """The session that has the mutex. Without pg_read_all_stats, the last fields may be hidden."""

    pid: int
    application: str
    connected_s: float | None
    query: str
    # How long the query has run; None where it has ended, or is hidden.
    running_s: float | None = None

    def __str__(self) -> str:
        return f"backend {self.pid} ({self.application or 'no application name'})"


@dataclass(frozen=True)
class StatementProgress:
    """A phase in PostgreSQL's words, and the share of it that is done."""

    phase: str
    share: float | None

    @property
    def percentage(self) -> str:
        """The share in words, cut and not rounded: 100 % is done."""
        return "" if self.share is None else f"{int(self.share * 100)} %"

    def __str__(self) -> str:
        return ", ".join(filter(None, (self.phase, self.percentage)))


def blockers(connection: Connection, pid: int) -> tuple[Blocker, ...]:
    """The sessions that the backend `pid` waits for now, the oldest transaction first.

    It waits in a queue of the server, or between two attempts of a run.
    """
    rows = connection.exec_driver_sql(_BLOCKERS.format(pid=int(pid)))
    return tuple(
        Blocker(row[0], row[1], row[2], row[3], shape(row[4]), row[5], row[6]) for row in rows
    )


def mutex_holder(connection: Connection, key: int) -> MutexHolder | None:
    """The session that has the advisory lock `key` now."""
    unsigned = key % 2**64
    sql = _MUTEX_HOLDER.format(high=unsigned >> 32, low=unsigned & 0xFFFFFFFF)
    row = connection.exec_driver_sql(sql).first()
    if row is None:
        return None
    query = str(row[3])
    if query.startswith(AGAIN):
        query = query.removeprefix(AGAIN).partition("\n")[0]
    return MutexHolder(row[0], row[1], row[2], shape(query), row[4])


def progress(connection: Connection, pid: int) -> StatementProgress | None:
    """How far the backend's statement is; None where PostgreSQL does not report it."""
    row = connection.exec_driver_sql(_PROGRESS.format(pid=int(pid))).first()
    return None if row is None else StatementProgress(row[0], row[1])


def shape(query: str, most: int = MAX_QUERY) -> str:
    """A query without its literals, on one line, cut to so many characters."""
    text = _SPACE.sub(" ", _TOKENS.sub(_hidden, query[:_LOOKED_AT])).strip()
    return text if len(text) <= most else text[: most - 1] + "…"


def _hidden(token: re.Match[str]) -> str:
    return token["name"] or (" " if token["comment"] else "?")
