"""Who runs the embedded server, for PostgreSQL refuses root."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.processes import eventually, is_running, quick
from harness.server import LIBRARY, temporary_folder
from surefoot.embedded import EmbeddedServer, find_binaries

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or os.geteuid() != 0, reason="only root can be somebody else"
)

NOBODY = 65534
# argv: state folder, programs. It says whose the server's socket folder is, and who it is itself.
USE = """
import os, sys
from pathlib import Path
from surefoot.embedded import EmbeddedServer
server = EmbeddedServer(Path(sys.argv[1]), bindir=Path(sys.argv[2]), durable=False)
with server.use() as running:
    print(os.stat(running.state.run).st_uid, os.getuid())
"""
# Root in a namespace that has all users and may have no namespaces below it: what a container
# looks like to its root where they are forbidden.
WITHOUT_NAMESPACES = """
import ctypes, os, pathlib, sys
ready, go = os.pipe(), os.pipe()
child = os.fork()
if child == 0:
    assert ctypes.CDLL(None).unshare(0x10000000) == 0
    os.write(ready[1], b"x"); os.read(go[0], 1)
    os.setgid(0); os.setuid(0)
    pathlib.Path("/proc/sys/user/max_user_namespaces").write_text("0")
    assert ctypes.CDLL(None).unshare(0x10000000) != 0
    os.execv(sys.executable, [sys.executable, "-c", sys.argv[1], *sys.argv[2:]])
os.read(ready[0], 1)
for name in ("uid_map", "gid_map"):
    pathlib.Path(f"/proc/{child}/{name}").write_text("0 0 65536")
os.write(go[1], b"x")
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@pytest.fixture
def parent() -> Iterator[Path]:
    """A folder that everybody may pass through, with a state folder to be."""
    with temporary_folder() as made:
        made.chmod(0o711)
        yield made
        server = EmbeddedServer(made / "state")
        assert eventually(lambda: not server.status().has_supervisor)


def test_an_ordinary_user_runs_it_as_itself(parent: Path) -> None:
    """No root is needed, and the files are the user's."""
    os.chown(parent, NOBODY, NOBODY)
    done = as_nobody(USE, parent / "state", programs())
    assert (done.stdout, done.returncode) == (f"{NOBODY} {NOBODY}\n", 0), done.stderr


@pytest.mark.slow
def test_root_runs_it_in_a_namespace_and_owns_the_files(parent: Path) -> None:
    """Nothing changes hands where the kernel lets root appear as somebody else."""
    parent.chmod(0o700)
    with quick(parent / "state").use() as running:
        assert uid_of(Path(running.state.run)) == 0
        assert uid_of(parent / "state" / "data") == 0
        namespace = Path(f"/proc/{running.state.postgres_pid}/uid_map").read_text("ascii").split()
        assert namespace == [str(NOBODY), "0", "1"]


@pytest.mark.slow
def test_root_runs_it_as_the_owner_of_the_data(parent: Path) -> None:
    """Data that an ordinary user made stays theirs when root starts the server."""
    with quick(parent / "state").use() as running:
        supervisor = running.state.supervisor_pid
    assert eventually(lambda: not is_running(supervisor))
    data, run = parent / "state" / "data", parent / "state" / "run"
    for path in [data, *data.rglob("*"), run]:
        os.lchown(path, NOBODY, NOBODY)
    with quick(parent / "state").use() as running:
        assert uid_of(Path(f"/proc/{running.state.postgres_pid}")) == NOBODY
    assert uid_of(data / "PG_VERSION") == NOBODY


@pytest.mark.slow
def test_root_without_namespaces_runs_it_as_nobody(parent: Path) -> None:
    """Data and socket are given to that user; the lock files stay root's."""
    done = without_namespaces(USE, parent / "state", programs())
    assert (done.stdout, done.returncode) == (f"{NOBODY} 0\n", 0), done.stderr
    assert uid_of(parent / "state" / "data") == NOBODY
    assert uid_of(parent / "state" / "users.lock") == 0
    assert (parent / "state").stat().st_mode & 0o777 == 0o711


@pytest.mark.slow
def test_a_folder_that_nobody_can_reach_is_a_clear_error(parent: Path) -> None:
    """It says who was tried and what is missing, and opens no folder by itself."""
    parent.chmod(0o700)
    done = without_namespaces(USE, parent / "state", programs())
    assert (
        "the embedded PostgreSQL did not start: PostgreSQL does not run as root, and none of "
        f"uid {NOBODY} in a user namespace, uid {NOBODY} can enter both {parent / 'state'} and "
        f"{programs()}; each folder above them must be searchable"
    ) in done.stderr
    assert parent.stat().st_mode & 0o777 == 0o700


def test_a_state_folder_of_somebody_else_is_a_clear_error(parent: Path) -> None:
    """The message says whose it is and what to do."""
    parent.chmod(0o755)
    done = as_nobody(USE, parent, programs())
    assert (
        f"{parent} belongs to uid 0, and this is uid {NOBODY}; "
        "give it to that user, or choose another folder"
    ) in done.stderr


@pytest.mark.slow
def test_nothing_outside_the_state_folder_changes(parent: Path) -> None:
    """No user is added and no mode or owner is changed."""
    watched = [parent, *parent.parents, *programs().parents, Path("/etc/passwd"), Path.home()]
    before = [(path, path.stat().st_mode, path.stat().st_uid) for path in watched]
    users = Path("/etc/passwd").read_bytes()
    with quick(parent / "state").use():
        pass
    assert [(path, path.stat().st_mode, path.stat().st_uid) for path in watched] == before
    assert Path("/etc/passwd").read_bytes() == users


def programs() -> Path:
    found = find_binaries()
    assert found is not None
    return found.bindir


def uid_of(path: Path) -> int:
    return path.stat().st_uid


def as_nobody(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """A script, run by the first Python that an ordinary user can run."""
    for python in (sys.executable, "/usr/bin/python3", "/usr/local/bin/python3"):
        with contextlib.suppress(OSError):
            # The launcher needs no package, so the system's own Python will do.
            if _run(python, "-c", "import surefoot.embedded", user=NOBODY).returncode == 0:
                return _run(python, "-c", *arguments, user=NOBODY)
    pytest.skip("no Python of this machine is for everybody")


def without_namespaces(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """A script, run by a root that may make no user namespaces."""
    done = _run(sys.executable, "-c", WITHOUT_NAMESPACES, *arguments)
    if "max_user_namespaces" in done.stderr or "AssertionError" in done.stderr:
        pytest.skip("this machine lets no test make such a root")
    return done


def _run(*arguments: str | Path, user: int | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(argument) for argument in arguments],
        cwd=LIBRARY,
        # A Python of the system does not have the library installed.
        env={**os.environ, "PYTHONPATH": str(LIBRARY / "src"), "PYTHONDONTWRITEBYTECODE": "1"},
        user=user,
        group=user,
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
    )
