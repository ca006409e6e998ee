"""Who stands in the way of a statement: read from pg_stat_activity while it waits."""

from __future__ import annotations

import re
from dataclasses import dataclass

from sqlalchemy import Connection

SQL = """
SELECT a.pid, coalesce(nullif(a.application_name, ''), a.usename, a.backend_type, 'no name'),
       coalesce(a.state, a.backend_type, 'state hidden'),
       extract(epoch FROM clock_timestamp() - a.xact_start)::float8,
       coalesce(a.query, ''),
       (SELECT count(*) FROM pg_stat_activity w WHERE %(pid)s = ANY (pg_blocking_pids(w.pid)))
FROM pg_stat_activity a
WHERE a.pid = ANY (pg_blocking_pids(%(pid)s))
UNION ALL
SELECT 0, p.owner, p.gid, extract(epoch FROM clock_timestamp() - p.prepared)::float8, '', 0
FROM pg_prepared_xacts p
WHERE 0 = ANY (pg_blocking_pids(%(pid)s)) AND EXISTS (
    SELECT FROM pg_locks own JOIN pg_locks other USING (virtualtransaction)
    JOIN pg_locks wanted ON (wanted.database, wanted.relation) = (other.database, other.relation)
    WHERE own.transactionid = p.transaction AND own.pid IS NULL AND other.pid IS NULL
      AND wanted.pid = %(pid)s AND NOT wanted.granted)
ORDER BY 4 DESC NULLS LAST, 1
"""
_QUOTED = re.compile(r"\$(\w*)\$.*?\$\1\$|'(?:[^']|'')*'", re.DOTALL)
_NUMBER = re.compile(r"(?<![\w$])\d+(?:\.\d+)?\b")
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
    queue: int = 0

    def __str__(self) -> str:
        age = "an unknown time" if self.transaction_s is None else f"{self.transaction_s:.0f} s"
        if self.pid == 0:
            return (
                f"prepared transaction {self.state!r} of {self.application}, for {age}: "
                "COMMIT PREPARED or ROLLBACK PREPARED ends it"
            )
        return (
            f"pid {self.pid} {self.application}, {self.state}, in a transaction for {age}: "
            f"{self.query}"
        )


def find(connection: Connection, pid: int) -> tuple[Blocker, ...]:
    """The sessions that the backend `pid` waits for now; `queue` counts who waits behind it."""
    rows = connection.exec_driver_sql(SQL % {"pid": int(pid)})
    return tuple(Blocker(row[0], row[1], row[2], row[3], shape(row[4]), row[5]) for row in rows)


def shape(query: str) -> str:
    """A query as people may see it: without its literals, on one line, cut."""
    text = _SPACE.sub(" ", _NUMBER.sub("?", _QUOTED.sub("?", query))).strip()
    return text if len(text) <= MAX_QUERY else text[: MAX_QUERY - 1] + "…"
