"""Place is the folder of one embedded server: what lies where in it.

    data/              PostgreSQL's data folder
    run/               the unix socket, for this user only
    server.log         what supervisor and server say
    server.json        where the server that is up can be reached
    start.lock         held while a server is looked for, made and started
    users.lock         shared by everybody who uses the server
    supervisor.lock    held by the supervisor as long as it lives
    pinned             the server stays up without users, for good or until a time
    stop               the supervisor is asked to stop

The folder and all in it are the user's alone (mode 0700).
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
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from surefoot.embedded.wire import SOCKET_NAME
from surefoot.errors import ServerStartFailed

# sockaddr_un holds 108 bytes on Linux and 104 on macOS, the closing zero included.
MAX_SOCKET_PATH_BYTES = 103


@dataclass(frozen=True)
class Place:
    """The paths below one state folder."""

    directory: Path

    @property
    def data(self) -> Path:
        return self.directory / "data"

    @property
    def log(self) -> Path:
        return self.directory / "server.log"

    @property
    def old_log(self) -> Path:
        return self.directory / "server.old.log"

    @property
    def state(self) -> Path:
        return self.directory / "server.json"

    @property
    def start_lock(self) -> Path:
        return self.directory / "start.lock"

    @property
    def users_lock(self) -> Path:
        return self.directory / "users.lock"

    @property
    def supervisor_lock(self) -> Path:
        return self.directory / "supervisor.lock"

    @property
    def pinned(self) -> Path:
        return self.directory / "pinned"

    @property
    def stop(self) -> Path:
        return self.directory / "stop"

    @property
    def run(self) -> Path:
        """The socket's folder: below the state folder where such a path is short enough."""
        own = self.directory / "run"
        # A comma would read as two hosts in a URL.
        fits = len(os.fsencode(own / SOCKET_NAME)) <= MAX_SOCKET_PATH_BYTES
        if fits and "," not in str(own):
            return own
        digest = hashlib.sha256(os.fsencode(self.directory)).hexdigest()[:12]
        name = f"vegafs-{os.geteuid()}-{digest}"
        for parent in (Path(tempfile.gettempdir()), Path("/tmp")):  # noqa: S108 - the folder is checked to be ours
            if len(os.fsencode(parent / name / SOCKET_NAME)) <= MAX_SOCKET_PATH_BYTES:
                return parent / name
        return own

    @property
    def run_is_outside(self) -> bool:
        return self.run.parent != self.directory

    def pin(self, for_s: float | None = None) -> None:
        """Keep the server without users: until it is stopped, or for so long at most."""
        until = "" if for_s is None else str(time.time() + for_s)
        self.pinned.write_text(until, encoding="ascii")

    def is_pinned(self) -> bool:
        try:
            until = self.pinned.read_text(encoding="ascii")
        except FileNotFoundError:
            return False
        return not until or time.time() < float(until)

    def remove(self) -> None:
        """Remove what a server left, by name: whatever else lies in the folder is not ours."""
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
        """The PostgreSQL that made the data folder, if there is one."""
        try:
            return int((self.data / "PG_VERSION").read_text(encoding="ascii"))
        except (FileNotFoundError, ValueError):
            return None

    def log_tail(self, from_byte: int = 0, lines: int = 12) -> list[str]:
        """The log's last lines, of what was written after `from_byte`."""
        try:
            with self.log.open("rb") as log:
                log.seek(from_byte)
                text = log.read().decode("utf-8", "replace")
        except FileNotFoundError:
            return []
        return text.splitlines()[-lines:]

    def log_bytes(self) -> int:
        return self.log.stat().st_size if self.log.exists() else 0

    def failed(self, reason: str, tail: list[str] | None = None) -> ServerStartFailed:
        return ServerStartFailed(reason, str(self.log), self.log_tail() if tail is None else tail)


@dataclass(frozen=True)
class Spec:
    """What the supervisor is told to run."""

    directory: str
    bindir: str
    major: int
    user: str
    durable: bool
    remove_at_end: bool
    options: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class State:
    """Where a server that is up can be reached."""

    supervisor_pid: int
    postgres_pid: int
    major: int
    bindir: str
    run: str

    @classmethod
    def read(cls, place: Place) -> State | None:
        try:
            found: Any = json.loads(place.state.read_text(encoding="utf-8"))
            return cls(**found)
        except (FileNotFoundError, ValueError, TypeError):
            return None

    def write(self, place: Place) -> None:
        """Replace the file at once: whoever reads it sees all of it or nothing."""
        new = place.state.with_suffix(".new")
        new.write_text(json.dumps(asdict(self)), encoding="utf-8")
        new.replace(place.state)


def private_folder(path: Path, *, owner_uid: int) -> None:
    """Make a folder that only its owner can enter, or check that the one there is such.

    On failure: OSError, which says whose it is; somebody else may have made it first.
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
