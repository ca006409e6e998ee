"""walk() lists the regular files below a folder, in batches, and cannot leave its root.

Every folder is opened from the root down, one name at a time, with O_NOFOLLOW and the descriptor of
its parent, so a name that becomes a symlink during the walk is not entered. Symlinks, sockets,
devices and pipes are not listed. At most two folders are open at a time, however deep the tree is.

Without `cross_mounts` a walk stays on the file system on which it starts, like `find -xdev`: /proc
contains no data, and an unresponsive network share would block the walk.
"""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from app.jobs.media_types import media_type
from app.jobs.names import listed

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# The root is configured, and may be a symlink.
_ROOT = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
# A btree entry holds about 2,700 bytes; a longer path does not fit into the index.
MAX_PATH_BYTES = 2600
TOO_LONG = f"its path is longer than {MAX_PATH_BYTES} bytes"
# Years 1 to 9999, the range of datetime; file systems can contain others. In whole seconds: the
# database multiplies in floating point, which would round the last microseconds into another year.
_EARLIEST_US, _LATEST_US = -62_135_596_800_000_000, 253_402_300_799_000_000
# Deleted, or replaced by a file or a symlink.
_GONE = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ESTALE)
MAX_EXAMPLES = 10


class Found(NamedTuple):
    """A regular file; a row of the staging table."""

    path: str
    size_bytes: int
    modified_us: int
    mode: int
    media_type: str | None


def is_too_long(path: str) -> bool:
    """Whether the catalogue cannot hold the path, nor anything below it."""
    return len(path) > MAX_PATH_BYTES // 4 and len(path.encode()) > MAX_PATH_BYTES


@dataclass
class Tally:
    """Counts of a walk so far."""

    files: int = 0
    size_bytes: int = 0
    directories: int = 0
    errors: int = 0
    error_examples: list[dict[str, str]] = field(default_factory=list)
    mounts_skipped: int = 0
    # Folders that were not entered and files that could not be read: their content is unknown.
    unseen: list[str] = field(default_factory=list)

    def failed(self, path: str, error: OSError) -> None:
        """Count an entry that could not be read. An entry that vanished is no error."""
        if error.errno in _GONE:
            return
        self.skipped(path, error.strerror or str(error))

    def skipped(self, path: str, reason: str) -> None:
        """Count an entry that exists and is not catalogued."""
        self.errors += 1
        self.unseen.append(path)
        if len(self.error_examples) < MAX_EXAMPLES:
            self.error_examples.append({"path": path, "reason": reason})


def walk(
    root: bytes,
    start: bytes,
    tally: Tally,
    *,
    batch_rows: int,
    cross_mounts: bool = False,
    stop: threading.Event,
) -> Iterator[list[Found]]:
    """The regular files below `start`, a path relative to `root`; paths are relative to it too.

    It blocks, and ends early once `stop` is set.
    On failure: OSError if root or start is not a readable folder.
    """
    root_fd, device = os.open(root, _ROOT), None
    try:
        rows: list[Found] = []
        folders = [start]
        while folders and not stop.is_set():
            folder = folders.pop()
            try:
                fd = _open_beneath(root_fd, folder)
            except OSError as error:
                if folder == start:
                    raise
                tally.failed(listed(folder), error)
                continue
            try:
                device = device or os.fstat(fd).st_dev
                if not cross_mounts and os.fstat(fd).st_dev != device:
                    tally.mounts_skipped += 1
                    tally.unseen.append(listed(folder))
                    continue
                tally.directories += 1
                for found in _list(fd, folder, folders, tally):
                    rows.append(found)
                    if len(rows) >= batch_rows:
                        yield rows
                        rows = []
                    if stop.is_set():
                        return
            except OSError as error:
                if folder == start:
                    raise
                tally.failed(listed(folder), error)
            finally:
                os.close(fd)
        if rows:
            yield rows
    finally:
        os.close(root_fd)


def _list(fd: int, folder: bytes, folders: list[bytes], tally: Tally) -> Iterator[Found]:
    """The regular files of an open folder; the folders in it are added to `folders`."""
    prefix = listed(folder) + "/" if folder else ""
    with os.scandir(fd) as entries:
        for entry in entries:
            name = entry.name
            try:
                if entry.is_dir(follow_symlinks=False):
                    raw = os.fsencode(name)
                    below = folder + b"/" + raw if folder else raw
                    if is_too_long(shown := listed(below)):
                        tally.skipped(shown, TOO_LONG)
                    else:
                        folders.append(below)
                    continue
                if not entry.is_file(follow_symlinks=False):
                    continue
                status = entry.stat(follow_symlinks=False)
            except OSError as error:
                tally.failed(prefix + listed(os.fsencode(name)), error)
                continue
            # Nearly all names are plain ASCII; the others are converted byte by byte.
            if not name.isascii() or "\\" in name:
                name = listed(os.fsencode(name))
            path = prefix + name
            if is_too_long(path):
                tally.skipped(path, TOO_LONG)
                continue
            tally.files += 1
            tally.size_bytes += status.st_size
            yield Found(
                path,
                status.st_size,
                min(max(status.st_mtime_ns // 1000, _EARLIEST_US), _LATEST_US),
                status.st_mode & 0o7777,
                media_type(name),
            )


def _open_beneath(root_fd: int, path: bytes) -> int:
    """A descriptor of the folder at `path`, opened without following a symlink."""
    fd = os.dup(root_fd)
    for name in filter(None, path.split(b"/")):
        try:
            child = os.open(name, _FOLDER, dir_fd=fd)
        finally:
            os.close(fd)
        fd = child
    return fd
