"""LockFile is a lock that the death of its process releases, whatever the cause.

It uses flock(2) rather than a process id in a file: the id can outlive its process and be given to
another one. Programs that the process starts do not inherit the lock.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import sys
import time
from pathlib import Path

POLL_S = 0.01


class LockFile:
    """One open lock file; closing it releases the lock."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def attempt(self, *, shared: bool) -> bool:
        """Take the lock if it is free."""
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(self._file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
            return True
        return False

    def wait(self, *, shared: bool, until: float) -> bool:
        """Take the lock before the monotonic clock reaches `until`; false if it stayed held."""
        while not self.attempt(shared=shared):
            if time.monotonic() >= until:
                return False
            time.sleep(POLL_S)
        return True

    def __enter__(self) -> LockFile:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def release(self) -> None:
        fcntl.flock(self._file, fcntl.LOCK_UN)

    def is_current(self) -> bool:
        """Whether the path still names this file: a deleted file locks nobody out."""
        try:
            found, ours = self.path.stat(), os.fstat(self._file)
        except FileNotFoundError:
            return False
        return (found.st_dev, found.st_ino) == (ours.st_dev, ours.st_ino)

    def survive_exec(self) -> None:
        """Let the program that replaces this process keep the lock."""
        os.set_inheritable(self._file, True)

    def write(self, text: str) -> None:
        """Write a note for people; no program reads it."""
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, text.encode(), 0)

    def close(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


def is_held(path: Path) -> bool:
    """Whether a process holds the file exclusively.

    This takes a shared lock for a moment, so two processes that check do not see each other.
    """
    if not path.exists():
        return False
    with LockFile(path) as lock:
        return not lock.attempt(shared=True)


def holders(path: Path) -> list[str]:
    """The other processes that hold the file, as the kernel lists them: `alembic (pid 4121)`."""
    if sys.platform != "linux" or not path.exists():
        return []
    inode = str(path.stat().st_ino)
    found = []
    for line in Path("/proc/locks").read_text(encoding="ascii").splitlines():
        # 7: FLOCK  ADVISORY  READ 4121 fe:00:1234 0 EOF
        fields = line.split()
        if "FLOCK" not in fields or len(fields) < 6 or "->" in fields:
            continue
        pid, file_inode = fields[4], fields[5].rpartition(":")[2]
        if file_inode == inode and pid != str(os.getpid()):
            program = "a process"
            with contextlib.suppress(OSError):
                program = Path(f"/proc/{pid}/comm").read_text(encoding="utf-8").strip()
            found.append(f"{program} (pid {pid})")
    return sorted(found)
