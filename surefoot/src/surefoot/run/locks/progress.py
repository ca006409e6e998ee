"""How far a long statement is, where PostgreSQL tells: index builds, clusters, vacuums."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection

_SQL = """
SELECT phase, CASE WHEN blocks_total > 0 THEN blocks_done::float8 / blocks_total
                   WHEN tuples_total > 0 THEN tuples_done::float8 / tuples_total END
FROM pg_stat_progress_create_index WHERE pid = {pid}
UNION ALL
SELECT phase, CASE WHEN heap_blks_total > 0 THEN heap_blks_scanned::float8 / heap_blks_total END
FROM pg_stat_progress_cluster WHERE pid = {pid}
"""


@dataclass(frozen=True)
class Progress:
    """A phase in the server's words, and the share of it that is done."""

    phase: str
    share: float | None


def progress_of(connection: Connection, pid: int) -> Progress | None:
    """How far the backend's statement is; None where the server does not count it."""
    row = connection.exec_driver_sql(_SQL.format(pid=int(pid))).first()
    return None if row is None else Progress(row[0], row[1])
