"""Events are what a run of a backfill tells while it lasts."""

from collections.abc import Callable

from surefoot.frozen import dataclass


@dataclass(frozen=True)
class Walked:
    """How far it came, about once a second. Rows of all processes, as the database has them."""

    backfill: str
    lap: int
    changed: int
    # Rows walked in this lap, and of how many, by the statistics.
    walked: int
    total: int
    failed: int
    # Of all processes, in the last moments; None where it is not known.
    rows_per_s: float | None
    left_s: float | None
    # Why no batch begins just now; None where they do.
    held: str | None = None


@dataclass(frozen=True)
class Held:
    """No batch begins, for a reason; None: they begin again."""

    backfill: str
    reason: str | None


@dataclass(frozen=True)
class LapDone:
    """A walk over the whole table has ended."""

    backfill: str
    lap: int
    changed: int
    skipped: int


@dataclass(frozen=True)
class Unrecorded:
    """The ledger has no row that the backfill was started, paused or so, and why."""

    backfill: str
    said: str
    reason: str


@dataclass(frozen=True)
class Vacuumed:
    """A table with many dead rows was vacuumed, beside the batches."""

    backfill: str
    table: str


@dataclass(frozen=True)
class NotVacuumed:
    """A VACUUM did not begin, or has failed, and why; the batches go on."""

    backfill: str
    table: str
    reason: str


@dataclass(frozen=True)
class Unseen:
    """Something that a backfill gives way to cannot be looked at, and why; told once."""

    backfill: str
    what: str


Event = Walked | Held | LapDone | Unrecorded | Vacuumed | NotVacuumed | Unseen
Listen = Callable[[Event], None]
