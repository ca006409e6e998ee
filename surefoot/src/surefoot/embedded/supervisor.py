"""The supervisor is the process that runs one embedded server until its last user is gone.

`python -S -m surefoot.embedded.supervisor SPEC`, with a ServerSpec as JSON. It prints one line when
the server is up or has failed. Only the standard library may be imported here: a start without
site-packages is faster.

1. take the supervisor's lock
2. make the data folder where there is none, start postgres, write server.json, report
3. wait for the users' lock: it is free when the last user is gone, also by a kill
4. remove server.json, stop postgres, remove the folder of a throw-away server

A killed supervisor takes postgres along, and a killed postgres ends its supervisor. In both cases
the next command finds the lock free and starts a new server.
"""

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

from surefoot.embedded.folder import ServerFolder, ServerSpec, ServerState, private_folder
from surefoot.embedded.identity import choose_identity
from surefoot.embedded.locks import LockFile
from surefoot.embedded.postgres import Postgres, PostgresFailed, create_cluster

PREDECESSOR_TIMEOUT_S = 60.0  # a fast stop writes all data to disk first
CHECK_USERS_S = 0.1
MAX_LOG_BYTES = 4 * 1024 * 1024
STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class Supervisor:
    """The supervision of one server, from its start to its end."""

    def __init__(self, folder: ServerFolder, spec: ServerSpec) -> None:
        self._folder, self._spec = folder, spec
        self._report_fd = os.dup(1)
        self._must_stop = False
        self._woken, wakes = os.pipe()
        os.set_blocking(self._woken, False)
        os.set_blocking(wakes, False)
        signal.set_wakeup_fd(wakes, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)  # ends the wait below
        for stop_signal in STOP_SIGNALS:
            signal.signal(stop_signal, self._request_stop)

    def run(self) -> int:
        lock = LockFile(self._folder.supervisor_lock)
        if not lock.wait(shared=False, until=time.monotonic() + PREDECESSOR_TIMEOUT_S):
            return self._fail("the previous supervisor is still stopping its server")
        if not lock.is_current():
            return self._fail("its folder was removed during the start")
        lock.write(f"{os.getpid()}\n")
        self._folder.state.unlink(missing_ok=True)
        self._folder.stop.unlink(missing_ok=True)
        self._open_log()
        log_start = self._folder.log_bytes()
        try:
            postgres = self._start()
        except (OSError, PostgresFailed, subprocess.SubprocessError) as error:
            return self._fail(str(error), self._folder.log_tail(log_start))
        try:
            self._report({"up": asdict(self._state(postgres))})
            self._wait_for_end(postgres)
        finally:
            self._folder.state.unlink(missing_ok=True)
            postgres.stop()
            if self._folder.run_is_outside:
                shutil.rmtree(self._folder.run, ignore_errors=True)
            self._folder.stop.unlink(missing_ok=True)
            if self._spec.remove_at_end:
                self._folder.remove()
        return 0

    def _start(self) -> Postgres:
        folder, spec = self._folder, self._spec
        identity = choose_identity(folder.data, Path(spec.bindir))
        if identity.uid != os.geteuid() and not identity.namespace:
            # A server that runs as another user reaches its files below the folder.
            folder.directory.chmod(0o711)
        private_folder(folder.run, owner_uid=identity.uid)
        identity.own(folder.run)
        create_cluster(folder, spec, identity)
        identity.own(folder.data)
        postgres = Postgres(folder, spec, identity)
        postgres.start()
        try:
            self._state(postgres).write(folder)
        except OSError:
            postgres.stop()
            raise
        return postgres

    def _state(self, postgres: Postgres) -> ServerState:
        return ServerState(
            supervisor_pid=os.getpid(),
            postgres_pid=postgres.pid,
            major=self._spec.major,
            bindir=self._spec.bindir,
            run=str(self._folder.run),
        )

    def _wait_for_end(self, postgres: Postgres) -> None:
        users = LockFile(self._folder.users_lock)
        while postgres.is_alive() and not self._must_stop and not self._folder.stop.exists():
            if not users.is_current():
                return  # the folder was removed
            if users.attempt(shared=False):
                if not self._folder.is_pinned():
                    return  # with the lock: new users wait until this process has ended
                users.release()
            select.select([self._woken], [], [], CHECK_USERS_S)
            with contextlib.suppress(BlockingIOError):
                os.read(self._woken, 64)

    def _request_stop(self, *_: object) -> None:
        self._must_stop = True

    def _open_log(self) -> None:
        if self._folder.log_bytes() > MAX_LOG_BYTES:
            self._folder.log.replace(self._folder.old_log)
        with self._folder.opened_log() as log:
            os.dup2(log.fileno(), 1)
            os.dup2(log.fileno(), 2)

    def _fail(self, reason: str, tail: list[str] | None = None) -> int:
        self._report({"failed": reason, "tail": tail or []})
        return 1

    def _report(self, message: dict[str, object]) -> None:
        """Send one line to the command that started this, if it still lives."""
        with contextlib.suppress(BrokenPipeError):
            os.write(self._report_fd, json.dumps(message).encode() + b"\n")
        os.close(self._report_fd)


def main() -> int:
    """Detach from the command that started this, then supervise."""
    spec = ServerSpec(**json.loads(sys.argv[1]))
    if os.fork() != 0:
        os._exit(0)  # the command waits for this process, and for no other
    os.chdir("/")
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    return Supervisor(ServerFolder(Path(spec.directory)), spec).run()


if __name__ == "__main__":
    sys.exit(main())
