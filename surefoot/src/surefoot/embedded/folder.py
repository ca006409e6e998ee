"""ServerFolder holds the paths of one embedded server.

    data/              PostgreSQL's data folder
    run/               the unix socket
    server.log         output of the supervisor and the server
    server.json        the address of the running server
    start.lock         held while a server is joined, started or stopped
    users.lock         shared by all users of the server
    supervisor.lock    held by the supervisor as long as it lives
    pinned             keeps the server up without users, for good or until a time
    stop               asks the supervisor to stop

The folder and everything in it belong to one user (mode 0700).
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Mapping
from dataclasses import asdict, field
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

from surefoot.embedded.protocol import SOCKET_NAME
from surefoot.errors import ServerStartFailed
from surefoot.frozen import dataclass

# sockaddr_un holds 108 bytes on Linux and 104 on macOS, with the closing zero.
MAX_SOCKET_PATH_BYTES = 103
# The second one: where a file is in the place of the folder.
_NOT_THERE = (FileNotFoundError, NotADirectoryError)


class ServerFolder:
    """The paths below the folder of one server, which need not exist."""

    def __init__(self, directory: Path) -> None:
        self.directory, self.data = directory, directory / "data"
        self.log, self.old_log = directory / "server.log", directory / "server.old.log"
        self.state, self.pinned = directory / "server.json", directory / "pinned"
        self.start_lock, self.users_lock = directory / "start.lock", directory / "users.lock"
        self.supervisor_lock, self.stop = directory / "supervisor.lock", directory / "stop"
        self.run = _socket_folder(directory)
        self.run_is_outside = self.run.parent != directory

    def pin(self, for_s: float | None = None) -> None:
        """Keep the server up without users until it is stopped, or for so many seconds."""
        until = "" if for_s is None else str(time.time() + for_s)
        self.pinned.write_text(until, encoding="ascii")

    def is_pinned(self) -> bool:
        try:
            until = self.pinned.read_text(encoding="ascii")
        except _NOT_THERE:
            return False
        return not until or time.time() < float(until)

    def remove(self) -> None:
        """Remove the server's files by name, and the folder if nothing else is in it."""
        for folder in (*self.directory.glob("data.new-*"), self.data, self.directory / "run"):
            shutil.rmtree(folder, ignore_errors=True)
        for file in (
            *(self.log, self.old_log, self.state, self.pinned, self.stop),
            *(self.start_lock, self.users_lock, self.supervisor_lock),
        ):
            file.unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            self.directory.rmdir()

    def data_major(self) -> int | None:
        """The major version that made the data folder, if there is one."""
        try:
            return int((self.data / "PG_VERSION").read_text(encoding="ascii"))
        except (*_NOT_THERE, ValueError):
            return None

    def log_tail(self, from_byte: int = 0, lines: int = 12) -> list[str]:
        """The last lines of the log that were written after `from_byte`."""
        try:
            with self.log.open("rb") as log:
                log.seek(from_byte)
                text = log.read().decode("utf-8", "replace")
        except _NOT_THERE:
            return []
        return text.splitlines()[-lines:]

    def opened_log(self) -> BinaryIO:
        """The log, to append to."""
        return open(self.log, "ab", opener=partial(os.open, mode=0o600))

    def log_bytes(self) -> int:
        return self.log.stat().st_size if self.log.exists() else 0

    def failed(self, reason: str, tail: list[str] | None = None) -> ServerStartFailed:
        return ServerStartFailed(reason, str(self.log), self.log_tail() if tail is None else tail)


@dataclass(frozen=True)
class ServerSpec:
    """How the supervisor starts the server."""

    directory: str
    bindir: str
    major: int
    user: str
    durable: bool
    remove_at_end: bool
    options: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class ServerState:
    """The processes and the socket folder of a running server."""

    supervisor_pid: int
    postgres_pid: int
    major: int
    bindir: str
    run: str

    @classmethod
    def read(cls, folder: ServerFolder) -> ServerState | None:
        try:
            found: Any = json.loads(folder.state.read_text(encoding="utf-8"))
            return cls(**found)
        except (*_NOT_THERE, ValueError, TypeError):
            return None

    def write(self, folder: ServerFolder) -> None:
        """Replace the file atomically."""
        new = folder.state.with_suffix(".new")
        new.write_text(json.dumps(asdict(self)), encoding="utf-8")
        new.replace(folder.state)


def private_folder(path: Path, *, owner_uid: int) -> None:
    """Make a folder that only its owner can enter, or check that the existing one is such.

    On failure: OSError names the owner or the mode; another user may have made it first.
    """
    try:
        path.mkdir(mode=0o700)
    except FileExistsError:
        found = path.lstat()
        if not stat.S_ISDIR(found.st_mode):
            raise OSError(f"{path} is not a folder") from None
        if found.st_uid not in (os.geteuid(), owner_uid):
            raise OSError(f"{path} belongs to uid {found.st_uid}, not to us") from None
        if found.st_mode & 0o077:
            raise OSError(f"{path} is open to others; its mode must be 0700") from None


def _socket_folder(directory: Path) -> Path:
    """Below the folder, or in the temporary folder where the path would be too long."""
    own = directory / "run"
    # A comma in a URL separates two hosts.
    if _fits(own) and "," not in str(own):
        return own
    digest = hashlib.sha256(os.fsencode(directory)).hexdigest()[:12]
    name = f"surefoot-{os.geteuid()}-{digest}"
    # private_folder() checks the owner.
    parents = (Path(tempfile.gettempdir()), Path("/tmp"))  # noqa: S108
    return next((each / name for each in parents if _fits(each / name)), own)


def _fits(folder: Path) -> bool:
    return len(os.fsencode(folder / SOCKET_NAME)) <= MAX_SOCKET_PATH_BYTES
