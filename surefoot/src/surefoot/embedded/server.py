"""EmbeddedServer is one real PostgreSQL in one folder, there while somebody uses it.

Users hold a shared lock; the first starts a supervisor, which ends the server when it can have
the lock for itself. A second lock makes arriving one at a time, so that commands that begin
together share one server.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from surefoot.embedded import locks, wire
from surefoot.embedded.binaries import Binaries, binaries_for_data, find_binaries
from surefoot.embedded.launch import launch
from surefoot.embedded.locks import LockFile
from surefoot.embedded.place import Place, Spec, State
from surefoot.errors import DatabaseUrlMissing, ServerInUse, ServerStartFailed

USER = "vegafs"
DATABASE = "vegafs_dev"
START_TIMEOUT_S = 120.0
STOP_TIMEOUT_S = 60.0
STARTS = 3
INVALID_CATALOG_NAME = "3D000"


@dataclass(frozen=True)
class Running:
    """A server that is up, for as long as its user stays."""

    state: State
    users: LockFile = field(repr=False)

    def url(self, database: str = DATABASE) -> str:
        """The URL of one of its databases: through the socket, without a password."""
        return f"postgresql://{USER}@/{quote(database, safe='')}?host={quote(self.state.run)}"

    def survive_exec(self) -> None:
        """The program that replaces this process becomes the user."""
        self.users.survive_exec()


@dataclass(frozen=True)
class Status:
    """What can be seen from outside, without a start.

    With a supervisor and no state the server is coming or going.
    """

    has_supervisor: bool
    running: State | None
    pinned: bool
    users: tuple[str, ...]


@dataclass(frozen=True)
class EmbeddedServer:
    """One server's folder, and how a server in it is started."""

    directory: Path
    bindir: Path | None = None
    major: int | None = None
    durable: bool = True
    remove_at_end: bool = False
    database: str = DATABASE
    options: Mapping[str, str] = field(default_factory=dict)
    narrate: Callable[[str], None] | None = None

    @property
    def place(self) -> Place:
        return Place(self.directory.resolve())

    @contextmanager
    def use(self) -> Iterator[Running]:
        """The server, started if it does not run; it runs at least until the block ends.

        On failure: ServerStartFailed, ServerBinariesMissing, DatabaseUrlMissing.
        """
        running = self._join()
        try:
            yield running
        finally:
            running.users.close()

    def start(self) -> State:
        """Start the server if need be, and keep it without users until `stop()`."""
        with self.use() as running:
            self.place.pin()
            return running.state

    def stop(self, *, now: bool = False) -> bool:
        """Stop the server, and say whether one ran. With `now`, its users lose it.

        On failure: ServerInUse, and nothing is changed; ServerStartFailed when it does not end.
        """
        place = self.place
        if not place.directory.is_dir():
            return False
        deadline = time.monotonic() + STOP_TIMEOUT_S
        start = LockFile(place.start_lock)
        users = LockFile(place.users_lock)
        try:
            # Whoever arrives from here on waits, and then starts anew.
            if not start.wait(shared=False, until=deadline) and not now:
                raise ServerInUse(locks.holders(place.start_lock) or ["a command that starts it"])
            if not users.attempt(shared=False) and not now:
                raise ServerInUse(locks.holders(place.users_lock) or ["another process"])
            users.release()
            place.pinned.unlink(missing_ok=True)
            if not locks.is_held(place.supervisor_lock):
                return False
            place.stop.touch()
            while locks.is_held(place.supervisor_lock):
                if time.monotonic() > deadline:
                    raise place.failed(f"it did not stop within {STOP_TIMEOUT_S:g} s")
                time.sleep(locks.POLL_S)
            return True
        finally:
            users.close()
            start.close()

    def status(self) -> Status:
        """Whether it runs, pinned or not, and who uses it."""
        place = self.place
        has_supervisor = locks.is_held(place.supervisor_lock)
        return Status(
            has_supervisor=has_supervisor,
            running=State.read(place) if has_supervisor else None,
            pinned=place.is_pinned(),
            users=tuple(locks.holders(place.users_lock)),
        )

    def _join(self) -> Running:
        place = self.place
        deadline = time.monotonic() + START_TIMEOUT_S
        while True:
            self._make_directory()
            start = users = None
            try:
                start = LockFile(place.start_lock)
                if not start.wait(shared=False, until=deadline):
                    holders = ", ".join(locks.holders(place.start_lock)) or "another process"
                    raise place.failed(f"{holders} has been starting it for too long")
                users = LockFile(place.users_lock)
                if not users.wait(shared=True, until=deadline):
                    raise place.failed("the server before this one is still stopping")
                # A throw-away folder may have been removed while we waited.
                if users.is_current() and start.is_current():
                    running, users = Running(self._state(deadline), users), None
                    return running
            except FileNotFoundError:
                pass  # removed between two steps; begin again
            except PermissionError as error:
                raise self._not_ours(Path(error.filename or place.directory)) from None
            finally:
                for lock in (users, start):
                    if lock is not None:
                        lock.close()
            if time.monotonic() > deadline:
                raise place.failed(f"{place.directory} is removed again and again")

    def _state(self, deadline: float) -> State:
        """The server that is up or is started now. A kill may come at once; then again."""
        for _ in range(STARTS):
            state = self._joinable(deadline) or self._launch(deadline)
            if state is not None:
                return state
        raise self.place.failed("it started and did not let us in")

    def _make_directory(self) -> None:
        directory = self.place.directory
        try:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise self.place.failed(f"{directory} cannot be made: {error.strerror}") from None
        if not os.access(directory, os.W_OK | os.X_OK):
            raise self._not_ours(directory)

    def _not_ours(self, path: Path) -> ServerStartFailed:
        return self.place.failed(
            f"{path} belongs to uid {path.stat().st_uid}, and this is uid {os.geteuid()}; "
            "give it to that user, or set VEGAFS_STATE_DIR to another folder",
            [],
        )

    def _joinable(self, deadline: float) -> State | None:
        """The server that is up, if there is one and it lets us in."""
        place = self.place
        while locks.is_held(place.supervisor_lock):
            state = State.read(place)
            try:
                lets_us_in = state is not None and self._has_database(state)
                # Looked at again: it may have been killed since.
                if lets_us_in and locks.is_held(place.supervisor_lock):
                    return state
            except OSError:
                pass  # killed or stopping: its supervisor notices in a moment
            # Without a state it is coming up for a starter that died, or going for want of users.
            if time.monotonic() > deadline:
                raise place.failed("its supervisor neither lets us in nor ends")
            time.sleep(locks.POLL_S)
        return None

    def _has_database(self, state: State) -> bool:
        """Whether the server lets us in, after our database was made where it was missing."""
        run = Path(state.run)
        refusal = wire.ask(run, user=USER, database=self.database)
        if refusal == INVALID_CATALOG_NAME:
            quoted = self.database.replace('"', '""')
            create = f'CREATE DATABASE "{quoted}"'
            refusal = wire.ask(run, user=USER, database="postgres", statement=create)
        return refusal is None

    def _binaries(self) -> Binaries:
        place = self.place
        data_major = place.data_major()
        if data_major is not None:
            return binaries_for_data(
                self.bindir, data_major=data_major, data=place.data, wanted=self.major
            )
        found = find_binaries(self.bindir, major=self.major)
        if found is None:
            wanted = "PostgreSQL" if self.major is None else f"PostgreSQL {self.major}"
            raise DatabaseUrlMissing(f"no {wanted} is installed here to start one with")
        return found

    def _launch(self, deadline: float) -> State | None:
        binaries = self._binaries()
        place = self.place
        first = "" if place.data.exists() else ", for the first time"
        if self.narrate is not None:
            self.narrate(f"starting PostgreSQL {binaries.major} in {place.directory}{first}")
        spec = Spec(
            directory=str(place.directory),
            bindir=str(binaries.bindir.absolute()),
            major=binaries.major,
            user=USER,
            durable=self.durable,
            remove_at_end=self.remove_at_end,
            options=dict(self.options),
        )
        state = launch(place, spec, until=deadline)
        with contextlib.suppress(OSError):
            if self._has_database(state):
                return state
        return None
