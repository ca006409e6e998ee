"""A KeptServer is a scratch server whose databases one command leaves to the next.

    CACHE/surefoot/scratch/NAME-DIGEST/
        lock        held by the command that uses it
        project     the folder of the project
        intact      the boot of the machine in which the last command left it as it was
        server/     the folder of surefoot.embedded

One command uses it at a time. The server never waits for its disk: it is created again after a
crash of the machine, as after a command that was killed.
"""

import contextlib
import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from surefoot.embedded import Binaries, EmbeddedServer, Running
from surefoot.embedded.folder import ServerFolder
from surefoot.embedded.locks import LockFile
from surefoot.errors import SurefootError
from surefoot.frozen import dataclass

# Of that many projects; the servers of the others are removed.
KEPT = 4
# A server with a large schema and sample rows.
ROOM_BYTES = 400 * 1024**2
_BOOT = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True)
class KeptServer:
    """The files of one, which need not exist."""

    place: Path

    @classmethod
    def of(cls, project: Path, binaries: Binaries) -> "KeptServer":
        """That of a project, by the folder of its env.py, with one PostgreSQL."""
        named = f"{binaries.bindir} {binaries.major} {project}"
        digest = hashlib.sha256(os.fsencode(named)).hexdigest()[:12]
        return cls(folder() / f"{project.parent.name}-{digest}")

    @property
    def project(self) -> str:
        """The folder of the project, empty where it is not known."""
        return _text(self.place / "project") or ""

    @property
    def size_bytes(self) -> int:
        return sum(_size(file) for file in self.place.rglob("*"))

    @property
    def used_at(self) -> float:
        """The time of its last use, in seconds since 1970; zero where that did not end well."""
        try:
            return (self.place / "intact").stat().st_mtime
        except OSError:
            return 0.0

    @contextmanager
    def use(self, project: Path, binaries: Binaries) -> Iterator[Running | None]:
        """The running server; None where another command has it, or none can be kept here."""
        with contextlib.ExitStack() as opened:
            try:
                running = self._joined(opened, project, binaries)
            except (OSError, SurefootError):
                running = None
            yield running

    def leave_intact(self) -> None:
        """The server is as it was before the block of `use`, but for its templates."""
        (self.place / "intact").write_text(_text(_BOOT) or "", "ascii")

    def remove(self) -> bool:
        """Stop it and remove its files; False where a command uses it."""
        if not self.place.is_dir():
            return True
        with LockFile(self.place / "lock") as lock:
            if not lock.attempt(shared=False):
                return False
            self._remove_server()
            shutil.rmtree(self.place)
            return True

    def _joined(
        self, opened: contextlib.ExitStack, project: Path, binaries: Binaries
    ) -> Running | None:
        boot = _text(_BOOT)
        if boot is None:
            return None  # a crash would not be noticed
        is_new = not self.place.is_dir()
        self.place.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = opened.enter_context(LockFile(self.place / "lock"))
        if not lock.attempt(shared=False) or not lock.is_current():
            return None
        if shutil.disk_usage(self.place).free < ROOM_BYTES:
            return None
        if _text(self.place / "intact") != boot:
            self._remove_server()
        (self.place / "intact").unlink(missing_ok=True)
        (self.place / "project").write_text(str(project), "utf-8")
        if is_new:
            others = [each for each in kept_servers() if each != self]
            for other in others[KEPT - 1 :]:
                other.remove()
        server = EmbeddedServer(self.place / "server", bindir=binaries.bindir, durable=False)
        return opened.enter_context(server.use())

    def _remove_server(self) -> None:
        server = ServerFolder(self.place / "server")
        if server.directory.is_dir():
            EmbeddedServer(server.directory).stop(now=True)
            server.remove()


def folder() -> Path:
    """The folder of the kept servers of this user."""
    return cache() / "scratch"


def cache() -> Path:
    """The folder of what a command leaves to the next, by the XDG Base Directory Specification."""
    found = Path(os.environ.get("XDG_CACHE_HOME") or "")
    if not found.is_absolute():
        try:
            found = Path.home() / ".cache"
        except RuntimeError:  # a user without a home: no folder can be made there
            found = Path(os.devnull)
    return found / "surefoot"


def kept_servers() -> list[KeptServer]:
    """Those that there are, the one used last first."""
    found = [KeptServer(place) for place in folder().glob("*") if (place / "lock").exists()]
    return sorted(found, key=lambda each: (each.used_at, each.place), reverse=True)


def _text(file: Path) -> str | None:
    try:
        return file.read_text("utf-8").strip()
    except OSError:
        return None


def _size(file: Path) -> int:
    try:
        return file.lstat().st_size
    except OSError:
        return 0  # removed meanwhile
