"""Throttle holds what a backfill gives way to."""

from surefoot.errors.disclosure import keep_secrets_of
from surefoot.frozen import dataclass


@dataclass(frozen=True)
class Throttle:
    """The thresholds beyond which a backfill pauses; None is not looked at.

    Seconds end with `_s`, bytes with `_bytes`. `docs/limits.md` has the reasons.

    Example:
        throttle = Throttle(replica_lag_s=2, wal_bytes_per_s=32_000_000)
        limits = Limits(throttle=throttle)
    """

    # A physical standby: the time until it has replayed what was written.
    replica_lag_s: float | None = 10.0
    # A physical standby: the WAL that it has not replayed.
    replica_lag_bytes: int | None = 256_000_000
    # A logical slot: the WAL that its subscriber has not confirmed. A slot that loses its WAL, too.
    slot_lag_bytes: int | None = 1_000_000_000
    # So many sessions that wait for a lock on the table or on a partition of it.
    waiting_locks: int | None = 1
    # The age of the oldest transaction of the database: vacuum keeps all that it may see.
    transaction_age_s: float | None = 300.0
    # VACUUM or autovacuum of the table is at work: True, or None.
    vacuum: bool | None = True
    # WAL of the whole server; how much it bears is known only to its operator.
    wal_bytes_per_s: int | None = None
    # Files that wait to be archived. A failing archive_command, too.
    archive_files: int | None = 64
    # An SQL statement, or a URL of http or https, that takes longer than `probe_ms` when the
    # service is slow. An error and a status of 400 or more count as slow.
    probe: str | None = None
    # In milliseconds: how long the probe takes where the service is not slow.
    probe_ms: float = 500.0
    # Beyond this part of dead rows the table is vacuumed beside the batches; they do not pause.
    dead_part: float | None = 0.1
    # The least number of dead rows for that.
    dead_rows: int = 10_000

    def __post_init__(self) -> None:
        keep_secrets_of(self.probe)
