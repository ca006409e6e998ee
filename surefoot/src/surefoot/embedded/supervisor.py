"""The supervisor is the process that keeps one embedded server, and ends it after its last user.

`python -m surefoot.embedded.supervisor DIRECTORY FD`, with a Spec as JSON on stdin; FD takes one
line when the server is up or will not be. It runs without site-packages: nothing but the
standard library may be imported here, so that a start takes a moment.

1. take the supervisor's lock, which says that the place has a supervisor
2. make the data folder where there is none, start postgres, write server.json, report
3. wait until the users' lock can be had: then the last user is gone, by whatever death
4. remove server.json, stop postgres, remove the folder if it was a throw-away one

Killed, it takes postgres along; a postgres that is killed ends it. Either way the next command
finds the lock free and starts anew.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path

from surefoot.embedded.identity import Identity, choose_identity
from surefoot.embedded.locks import LockFile
from surefoot.embedded.place import Place, Spec, State, private_folder
from surefoot.embedded.postgres import Postgres, PostgresFailed, create_cluster

PREDECESSOR_TIMEOUT_S = 60.0  # a fast stop writes everything to disk first
LOOK_AT_USERS_S = 0.1
MAX_LOG_BYTES = 4 * 1024 * 1024
STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class Supervisor:
    """One life of one server."""

    def __init__(self, place: Place, spec: Spec, report_fd: int) -> None:
        self._place, self._spec, self._report_fd = place, spec, report_fd
        self._stop_asked = False
        self._woken, wakes = os.pipe()
        os.set_blocking(self._woken, False)
        os.set_blocking(wakes, False)
        signal.set_wakeup_fd(wakes, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)  # ends the wait below
        for stop_signal in STOP_SIGNALS:
            signal.signal(stop_signal, self._ask_to_stop)

    def run(self) -> int:
        lock = LockFile(self._place.supervisor_lock)
        if not lock.wait(shared=False, until=time.monotonic() + PREDECESSOR_TIMEOUT_S):
            return self._fail("the supervisor before this one is still stopping its server")
        if not lock.is_current():
            return self._fail("its folder was removed meanwhile")
        lock.write(f"{os.getpid()}\n")
        self._place.state.unlink(missing_ok=True)
        self._place.stop.unlink(missing_ok=True)
        self._open_log()
        log_start = self._place.log_bytes()
        try:
            postgres = self._start()
        except (OSError, PostgresFailed, subprocess.SubprocessError) as error:
            return self._fail(str(error), self._place.log_tail(log_start))
        try:
            self._say({"up": asdict(self._state(postgres))})
            self._wait_for_the_end(postgres)
        finally:
            self._place.state.unlink(missing_ok=True)
            postgres.stop()
            self._tidy()
        return 0

    def _start(self) -> Postgres:
        place, spec = self._place, self._spec
        identity = choose_identity(place.data, Path(spec.bindir))
        _open_the_way(place, identity)
        private_folder(place.run, owner_uid=identity.uid)
        identity.own(place.run)
        create_cluster(place, spec, identity)
        identity.own(place.data)
        postgres = Postgres(place, spec, identity)
        postgres.start()
        try:
            self._state(postgres).write(place)
        except OSError:
            postgres.stop()
            raise
        return postgres

    def _state(self, postgres: Postgres) -> State:
        return State(
            supervisor_pid=os.getpid(),
            postgres_pid=postgres.pid,
            major=self._spec.major,
            bindir=self._spec.bindir,
            run=str(self._place.run),
        )

    def _wait_for_the_end(self, postgres: Postgres) -> None:
        users = LockFile(self._place.users_lock)
        while postgres.is_alive() and not self._stop_asked and not self._place.stop.exists():
            if not users.is_current():
                return  # somebody removed the folder
            if users.attempt(shared=False):
                if not self._place.is_pinned():
                    return  # and nobody gets in before this process has ended
                users.release()
            select.select([self._woken], [], [], LOOK_AT_USERS_S)
            with contextlib.suppress(BlockingIOError):
                os.read(self._woken, 64)

    def _ask_to_stop(self, *_: object) -> None:
        self._stop_asked = True

    def _tidy(self) -> None:
        place = self._place
        if place.run_is_outside:
            shutil.rmtree(place.run, ignore_errors=True)
        place.stop.unlink(missing_ok=True)
        if self._spec.remove_at_end:
            place.remove()

    def _open_log(self) -> None:
        if self._place.log_bytes() > MAX_LOG_BYTES:
            self._place.log.replace(self._place.old_log)
        log = os.open(self._place.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(log, 1)
        os.dup2(log, 2)
        os.close(log)

    def _fail(self, reason: str, tail: list[str] | None = None) -> int:
        self._say({"failed": reason, "tail": tail or []})
        return 1

    def _say(self, message: dict[str, object]) -> None:
        """One line to whoever started this; that one may be gone by now."""
        with contextlib.suppress(BrokenPipeError):
            os.write(self._report_fd, json.dumps(message).encode() + b"\n")
        os.close(self._report_fd)


def _open_the_way(place: Place, identity: Identity) -> None:
    """Another user than the folder's owner needs to pass through it, and only that."""
    if identity.uid != os.geteuid() and not identity.namespace:
        place.directory.chmod(0o711)


def main() -> int:
    """Detach from whoever started this, then supervise."""
    place = Place(Path(sys.argv[1]))
    spec = Spec(**json.load(sys.stdin))
    if os.fork() != 0:
        os._exit(0)  # the starter reaps this one at once, and has no child to forget
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.chdir("/")
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    return Supervisor(place, spec, int(sys.argv[2])).run()


if __name__ == "__main__":
    sys.exit(main())
