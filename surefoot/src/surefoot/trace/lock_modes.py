"""Lock modes of PostgreSQL by strength, and the statements that each blocks."""

from collections.abc import Iterable

# pg_locks' name -> the name in SQL, weakest first.
MODES = {
    "AccessShareLock": "ACCESS SHARE",
    "RowShareLock": "ROW SHARE",
    "RowExclusiveLock": "ROW EXCLUSIVE",
    "ShareUpdateExclusiveLock": "SHARE UPDATE EXCLUSIVE",
    "ShareLock": "SHARE",
    "ShareRowExclusiveLock": "SHARE ROW EXCLUSIVE",
    "ExclusiveLock": "EXCLUSIVE",
    "AccessExclusiveLock": "ACCESS EXCLUSIVE",
}
STRENGTH = {name: number for number, name in enumerate(MODES.values())}
EXCLUSIVE = "ACCESS EXCLUSIVE"


def strongest(modes: Iterable[str]) -> str | None:
    """The strongest of the modes, or None."""
    return max(modes, key=STRENGTH.__getitem__, default=None)


def blocks_writers(mode: str) -> bool:
    """Whether INSERT, UPDATE and DELETE wait behind the lock."""
    return STRENGTH[mode] >= STRENGTH["SHARE"]


def blocks_readers(mode: str) -> bool:
    """Whether SELECT waits behind the lock."""
    return mode == EXCLUSIVE


def blocked(mode: str) -> str:
    """The statements that the lock blocks, as text."""
    return f"blocks {waiting(mode)}"


def waiting(mode: str) -> str:
    """Which of reads and writes wait behind the lock, as text."""
    if blocks_readers(mode):
        return "reads and writes"
    return "INSERT, UPDATE, DELETE" if blocks_writers(mode) else "neither reads nor writes"
