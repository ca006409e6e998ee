"""Details is what the ledger keeps of the work of a revision: statements, and locks on tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from surefoot.frozen import dataclass

# So many statements and tables are kept by name; the others are counted.
MOST = 20
# Those that do more than read, the strongest first.
_MODES = (
    "ACCESS EXCLUSIVE",
    "EXCLUSIVE",
    "SHARE ROW EXCLUSIVE",
    "SHARE",
    "SHARE UPDATE EXCLUSIVE",
    "ROW EXCLUSIVE",
    "ROW SHARE",
)
_NAMES = [f"{words.title().replace(' ', '')}Lock" for words in _MODES]
# The strongest lock that this transaction holds on each table and view that was there before it,
# without those that only read. The row of a system column, or of the first one of a view, is as old
# as its relation. A relation that is gone has no name.
LOCKS = f"""(
    SELECT jsonb_build_object(
        'locks', coalesce(
            jsonb_agg(jsonb_build_object('mode', (ARRAY{[*_MODES]})[strength], 'table', name)
                      ORDER BY n) FILTER (WHERE n <= {MOST}), '[]'),
        'more_locks', count(*) FILTER (WHERE n > {MOST}))
    FROM (
        SELECT name, min(place) AS strength, row_number() OVER (ORDER BY min(place), name) AS n
        FROM (
            SELECT CASE WHEN identity IS NOT NULL THEN relation::regclass::text END AS name,
                   array_position(ARRAY{_NAMES}, mode) AS place
            FROM pg_catalog.pg_lock_status(),
                pg_identify_object('pg_catalog.pg_class'::regclass, relation, 0)
            WHERE pid = pg_backend_pid() AND locktype = 'relation' AND granted
              AND relation >= 16384 AND relation IS DISTINCT FROM to_regclass({{table_name}})
              AND relation IS DISTINCT FROM to_regclass({{version_table_name}})
              AND (identity IS NULL
                   OR type IN ('table', 'foreign table', 'materialized view', 'view') AND (
                       SELECT a.xmin FROM pg_catalog.pg_attribute a WHERE attrelid = relation
                       AND attnum = CASE type WHEN 'view' THEN 1 ELSE -6 END
                   ) IS DISTINCT FROM pg_catalog.pg_current_xact_id()::xid)
        ) held WHERE place > 0 GROUP BY name
    ) kept)"""  # noqa: S608 - constants


@dataclass(frozen=True)
class SentStatement:
    """A statement without its values, and how long it took, with its waits for locks."""

    sql: str
    duration_s: float


@dataclass(frozen=True)
class HeldLock:
    """The strongest lock on a table at the end of a transaction; `table` is None if it is gone."""

    mode: str
    table: str | None


@dataclass(frozen=True)
class Details:
    """The first statements of a revision, and the locks that it held when it committed."""

    statements: tuple[SentStatement, ...]
    # How long those took that are counted only.
    more_s: float = 0.0
    # None where they were not looked at: its transaction was shared, or not its only one.
    locks: tuple[HeldLock, ...] | None = None
    more_locks: int = 0

    @staticmethod
    def of(column: Mapping[str, Any] | None) -> Details | None:
        """Those of a column; None where there are none, or something else is there."""
        if not column:
            return None
        try:
            locks = column.get("locks")
            return Details(
                tuple(SentStatement(each["sql"], each["duration_s"]) for each in column["sent"]),
                column.get("more_s", 0.0),
                None if locks is None else tuple(HeldLock(e["mode"], e["table"]) for e in locks),
                column.get("more_locks", 0),
            )
        except (KeyError, TypeError, AttributeError):
            return None
