"""Estimates are the durations that `plan` has found for the statements of pending revisions.

`plan` leaves them in the cache of the user, and a run on a terminal of the same machine reads them.
They are of one database, and of a revision as its file was: another file has no estimate.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Mapping
from dataclasses import field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from surefoot.errors import FileNotWritable
from surefoot.frozen import dataclass
from surefoot.run.sessions import shape
from surefoot.wording import duration

if TYPE_CHECKING:
    from sqlalchemy import URL

# Tables grow, and other machines come.
FORGOTTEN_S = 7 * 86400
# Of a share that has grown less nothing can be told.
_LEAST_SHARE, _LEAST_S = 0.02, 3.0


@dataclass(frozen=True)
class Range:
    """The least and the most seconds that a statement is expected to take."""

    low_s: float
    high_s: float

    def left(self, running_s: float) -> str:
        """The time that is left, in words, once it has run for so long."""
        if running_s > self.high_s:
            return f"past the estimate of ~{spent(self.high_s)}"
        most = spent(self.high_s - running_s)
        if running_s >= self.low_s:
            return f"at most ~{most} left in all"
        least = spent(self.low_s - running_s)
        return f"~{most} left in all" if least == most else f"~{least} to {most} left in all"


@dataclass(frozen=True)
class Estimates:
    """Those for one database, by revision and by the statement without its literals."""

    ranges: Mapping[tuple[str, str], Range] = field(default_factory=dict)

    def of(self, revision: str, sql: str) -> Range | None:
        """The one for a statement as `shape` gives it; None where nobody has planned it."""
        return self.ranges.get((revision, sql))


# By the id of a revision and the hash of its file: its statements, as sent, and their ranges.
Planned = Mapping[tuple[str, str], Mapping[str, Range]]


def keep(file: Path, url: URL, planned: Planned) -> None:
    """Keep what was planned for a database; nothing where the file cannot be written."""
    from surefoot.chain.whole_file import write_whole  # noqa: PLC0415 - a run only reads

    now_s = time.time()
    kept = {key: each for key, each in _read(file).items() if _is_recent(each, now_s)}
    kept[_key(url)] = {
        "at_s": now_s,
        "revisions": {
            f"{id_} {sha256}": {
                shape(sql): [each.low_s, each.high_s] for sql, each in statements.items()
            }
            for (id_, sha256), statements in planned.items()
        },
    }
    with contextlib.suppress(OSError, FileNotWritable):
        file.parent.mkdir(parents=True, exist_ok=True)
        write_whole(file, json.dumps(kept).encode())


def kept(file: Path, url: URL, checksums: Mapping[str, str]) -> Estimates:
    """Those for a database, of revisions whose files have these hashes."""
    found = _read(file).get(_key(url), {})
    if not _is_recent(found, time.time()):
        return Estimates()
    with contextlib.suppress(
        AttributeError, LookupError, TypeError, ValueError
    ):  # somebody has edited it
        return Estimates(
            {
                (id_, sql): Range(*map(float, seconds))
                for id_, sha256 in checksums.items()
                for sql, seconds in found["revisions"].get(f"{id_} {sha256}", {}).items()
            }
        )
    return Estimates()


def _read(file: Path) -> dict[str, Any]:
    try:
        found = json.loads(file.read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _is_recent(found: Any, now_s: float) -> bool:
    try:
        return bool(now_s - found["at_s"] < FORGOTTEN_S)
    except (KeyError, TypeError):
        return False


def _key(url: URL) -> str:
    """The place of a database, without the role that logs in."""
    return f"{url.host or ''}:{url.port or ''}/{url.database or ''}"


def spent(seconds: float) -> str:
    """`3 s`, `1 min 2 s`: a duration that is still running, or is only known about."""
    return duration(round(seconds))


def phase_left(share: float, grown: float, took_s: float) -> str | None:
    """The time that is left of a phase whose share has `grown` in so many seconds, in words."""
    if grown < _LEAST_SHARE or took_s < _LEAST_S or share >= 1:
        return None
    return f"~{spent(took_s * (1 - share) / grown)} left"
