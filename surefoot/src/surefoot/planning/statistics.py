"""Statistics are the size and the load of the tables of a database, read without writing to it.

Any role that may connect can read them, except the sessions of other roles, which need
pg_read_all_stats.
"""

from collections.abc import Mapping

from sqlalchemy import Connection

from surefoot.frozen import dataclass
from surefoot.quoting import label_sql

TABLES = f"""
SELECT {label_sql("n.nspname", "c.relname")},
       greatest(c.reltuples, s.n_live_tup, 0)::bigint, pg_table_size(c.oid),
       pg_indexes_size(c.oid), coalesce(s.n_dead_tup, 0),
       coalesce((s.n_tup_ins + s.n_tup_upd + s.n_tup_del) / nullif(extract(epoch FROM now()
           - coalesce(d.stats_reset, pg_postmaster_start_time())), 0), 0)::float8
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_stat_user_tables s ON s.relid = c.oid
LEFT JOIN pg_stat_database d ON d.datname = current_database()
WHERE c.relkind IN ('r', 'p', 'm') AND n.nspname NOT IN ('pg_catalog', 'information_schema')
  AND n.nspname !~ '^pg_toast'
"""  # noqa: S608 - constants
OLDEST = """
SELECT extract(epoch FROM clock_timestamp() - xact_start)::float8,
       coalesce(nullif(application_name, ''), usename), pid
FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND xact_start IS NOT NULL
ORDER BY xact_start LIMIT 1
"""


@dataclass(frozen=True)
class TableStatistics:
    """The statistics of one table."""

    rows: int
    bytes: int
    index_bytes: int
    dead_rows: int
    # Rows inserted, updated and deleted per second since the statistics were reset.
    writes_per_s: float


@dataclass(frozen=True)
class OpenTransaction:
    """The oldest open transaction, for which a statement with a strong lock may have to wait."""

    age_s: float
    application: str
    pid: int


@dataclass(frozen=True)
class Statistics:
    """The statistics of a database at one moment."""

    tables: Mapping[str, TableStatistics]
    oldest: OpenTransaction | None
    # The schema whose objects are in `public` on the scratch database; empty for none.
    own: str = ""

    def label(self, found: str) -> str:
        """The label that an object has on the scratch database, by that of the target."""
        return found.removeprefix(f"{self.own}.") if self.own else found


def read_statistics(connection: Connection, own: str | None = None) -> Statistics:
    """Read the statistics; read access is enough."""
    oldest = connection.exec_driver_sql(OLDEST).one_or_none()
    tables: dict[str, TableStatistics] = {}
    found = Statistics(tables, OpenTransaction(*oldest) if oldest else None, own or "")
    for name, *rest in connection.exec_driver_sql(TABLES):
        # Of two tables of one label the search path leads to that in the own schema.
        if found.label(name) != name or name not in tables:
            tables[found.label(name)] = TableStatistics(*rest)
    return found
