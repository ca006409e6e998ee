"""EmbeddedServer is a PostgreSQL in a folder of its own, which runs while it has users.

Users hold a shared lock. The first one starts a supervisor, which stops the server when it gets
the lock exclusively. A second lock lets users join one at a time, so commands that begin together
share one server.
"""

import contextlib
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import field
from functools import partial
from pathlib import Path
from urllib.parse import quote

from surefoot.embedded import locks, protocol
from surefoot.embedded.binaries import Binaries, binaries_for_data, find_binaries
from surefoot.embedded.folder import ServerFolder, ServerSpec, ServerState
from surefoot.embedded.launch import launch
from surefoot.embedded.locks import LockFile
from surefoot.errors import DatabaseUrlMissing, ServerInUse, ServerStartFailed
from surefoot.frozen import dataclass
from surefoot.quoting import qualified
from surefoot.wording import duration

START_TIMEOUT_S = 120.0
STOP_TIMEOUT_S = 60.0
STARTS = 3
INVALID_CATALOG_NAME = "3D000"


@dataclass(frozen=True)
class Running:
    """A running server and the lock that keeps it up."""

    state: ServerState
    users: LockFile = field(repr=False)
    user: str
    database: str

    def url(self, database: str | None = None) -> str:
        """The URL of one of its databases: through the socket, without a password."""
        name = quote(database or self.database, safe="")
        return f"postgresql://{quote(self.user, safe='')}@/{name}?host={quote(self.state.run)}"

    def survive_exec(self) -> None:
        """Let the program that replaces this process keep the server up."""
        self.users.survive_exec()


@dataclass(frozen=True)
class Status:
    """The state of a server, seen without starting it.

    With a supervisor and without `running` the server is starting or stopping.
    """

    has_supervisor: bool
    running: ServerState | None
    pinned: bool
    users: tuple[str, ...]


@dataclass(frozen=True)
class EmbeddedServer:
    """A server in `directory`, and the options for its start.

    `user` is the superuser that a new data folder gets; `database` is created when it is missing.
    """

    directory: Path
    bindir: Path | None = None
    major: int | None = None
    durable: bool = True
    remove_at_end: bool = False
    user: str = "surefoot"
    database: str = "surefoot"
    options: Mapping[str, str] = field(default_factory=dict)
    narrate: Callable[[str], None] | None = None

    @property
    def folder(self) -> ServerFolder:
        return ServerFolder(self.directory.resolve())

    @contextmanager
    def use(self) -> Iterator[Running]:
        """The server, started if need be; it runs at least until the block ends.

        On failure: ServerStartFailed, ServerBinariesMissing, DatabaseUrlMissing.
        """
        running = self._join()
        try:
            yield running
        finally:
            running.users.close()

    def start(self) -> ServerState:
        """Start the server if need be, and keep it without users until `stop()`."""
        with self.use() as running:
            self.folder.pin()
            return running.state

    def stop(self, *, now: bool = False) -> bool:
        """Stop the server, and return whether one ran. With `now`, its users lose it.

        On failure: ServerInUse, and nothing changes; ServerStartFailed when it does not stop.
        """
        folder = self.folder
        if not folder.directory.is_dir():
            return False
        deadline = time.monotonic() + STOP_TIMEOUT_S
        with LockFile(folder.start_lock) as start, LockFile(folder.users_lock) as users:
            # A command that comes from here on waits, and then starts a new server.
            if not start.wait(shared=False, until=deadline) and not now:
                raise ServerInUse(locks.holders(folder.start_lock) or ["a command that starts it"])
            if not users.attempt(shared=False) and not now:
                raise ServerInUse(locks.holders(folder.users_lock) or ["another process"])
            users.release()
            folder.pinned.unlink(missing_ok=True)
            if not locks.is_held(folder.supervisor_lock):
                return False
            folder.stop.touch()
            while locks.is_held(folder.supervisor_lock):
                if time.monotonic() > deadline:
                    raise folder.failed(f"it did not stop within {duration(STOP_TIMEOUT_S)}")
                time.sleep(locks.POLL_S)
            return True

    def status(self) -> Status:
        """Whether the server runs, whether it is pinned, and its users."""
        folder = self.folder
        has_supervisor = locks.is_held(folder.supervisor_lock)
        return Status(
            has_supervisor=has_supervisor,
            running=ServerState.read(folder) if has_supervisor else None,
            pinned=folder.is_pinned(),
            users=tuple(locks.holders(folder.users_lock)),
        )

    def _join(self) -> Running:
        folder, deadline = self.folder, time.monotonic() + START_TIMEOUT_S
        while True:
            self._make_directory()
            try:
                with LockFile(folder.start_lock) as start, contextlib.ExitStack() as opened:
                    if not start.wait(shared=False, until=deadline):
                        holders = ", ".join(locks.holders(folder.start_lock)) or "another process"
                        raise folder.failed(f"{holders} has been starting it for too long")
                    users = opened.enter_context(LockFile(folder.users_lock))
                    if not users.wait(shared=True, until=deadline):
                        raise folder.failed("the previous server is still stopping")
                    # A throw-away folder may have been removed during the wait.
                    if users.is_current() and start.is_current():
                        running = Running(self._state(deadline), users, self.user, self.database)
                        opened.pop_all()
                        return running
            except FileNotFoundError:
                pass  # removed between two steps; begin again
            except PermissionError as error:
                raise self._not_ours(Path(error.filename or folder.directory)) from None
            if time.monotonic() > deadline:
                raise folder.failed(f"{folder.directory} is removed again and again")

    def _state(self, deadline: float) -> ServerState:
        """The running server, or a new one; starts again when that is killed at once."""
        for _ in range(STARTS):
            state = self._running(deadline) or self._launch(deadline)
            if state is not None:
                return state
        raise self.folder.failed("it started and then accepted no connection")

    def _make_directory(self) -> None:
        directory = self.folder.directory
        try:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise self.folder.failed(f"{directory} cannot be made: {error.strerror}") from None
        if not os.access(directory, os.W_OK | os.X_OK):
            raise self._not_ours(directory)

    def _not_ours(self, path: Path) -> ServerStartFailed:
        return self.folder.failed(
            f"{path} belongs to uid {path.stat().st_uid}, and this is uid {os.geteuid()}; "
            "give it to that user, or choose another folder",
            [],
        )

    def _running(self, deadline: float) -> ServerState | None:
        """The running server, if it accepts connections."""
        folder = self.folder
        while locks.is_held(folder.supervisor_lock):
            state = ServerState.read(folder)
            # The lock again: it may have been killed since.
            if state and self._accepts_connections(state) and locks.is_held(folder.supervisor_lock):
                return state
            # Without a state it starts for a command that died, or stops without users.
            if time.monotonic() > deadline:
                raise folder.failed("its supervisor neither accepts connections nor ends")
            time.sleep(locks.POLL_S)
        return None

    def _accepts_connections(self, state: ServerState) -> bool:
        """Whether a login succeeds; the database is created where it is missing."""
        log_in = partial(protocol.execute, Path(state.run), user=self.user)
        with contextlib.suppress(OSError):  # killed or stopping: the supervisor ends soon
            sqlstate = log_in(database=self.database)
            if sqlstate == INVALID_CATALOG_NAME:
                create = f"CREATE DATABASE {qualified(self.database)}"
                sqlstate = log_in(database="postgres", statement=create)
            return sqlstate is None
        return False

    def _binaries(self) -> Binaries:
        data_major = self.folder.data_major()
        if data_major is not None:
            return binaries_for_data(
                self.bindir, data_major=data_major, data=self.folder.data, wanted=self.major
            )
        found = find_binaries(self.bindir, major=self.major)
        if found is None:
            wanted = "PostgreSQL" if self.major is None else f"PostgreSQL {self.major}"
            raise DatabaseUrlMissing(f"no {wanted} is installed here to start one with")
        return found

    def _launch(self, deadline: float) -> ServerState | None:
        binaries, folder = self._binaries(), self.folder
        first = "" if folder.data.exists() else ", for the first time"
        if self.narrate is not None:
            self.narrate(f"starting PostgreSQL {binaries.major} in {folder.directory}{first}")
        spec = ServerSpec(
            directory=str(folder.directory),
            bindir=str(binaries.bindir.absolute()),
            major=binaries.major,
            user=self.user,
            durable=self.durable,
            remove_at_end=self.remove_at_end,
            options=dict(self.options),
        )
        state = launch(folder, spec, until=deadline)
        return state if self._accepts_connections(state) else None
