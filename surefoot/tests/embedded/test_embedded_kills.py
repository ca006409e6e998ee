"""Whatever is killed, the next start mends it."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from harness.databases import value
from harness.processes import User, eventually, is_running, kill, quick, user
from harness.server import LIBRARY
from surefoot.embedded import EmbeddedServer

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks at processes through /proc")


@pytest.mark.slow
def test_a_killed_user_leaves_no_server(state_dir: Path) -> None:
    """The lock goes with the process, and the server with the lock."""
    killed = User(state_dir)
    supervisor, postgres = killed.wait_until_up()
    killed.kill()
    assert eventually(lambda: not is_running(postgres) and not is_running(supervisor))


@pytest.mark.slow
def test_a_killed_supervisor_takes_the_server_along_and_the_next_start_mends_it(
    state_dir: Path,
) -> None:
    """Users lose the server; the next command has a new one."""
    with user(state_dir, durable=True) as left:
        supervisor, postgres = left.wait_until_up()
        kill(supervisor)
        with EmbeddedServer(state_dir).use() as running:
            assert running.state.supervisor_pid != supervisor
            assert running.state.postgres_pid != postgres
            assert not is_running(postgres)


@pytest.mark.slow
def test_a_killed_server_ends_its_supervisor_and_the_next_start_mends_it(state_dir: Path) -> None:
    """A command that comes the moment after the kill waits for the new server."""
    with user(state_dir, durable=True) as left:
        supervisor, postgres = left.wait_until_up()
        kill(postgres)
        with EmbeddedServer(state_dir).use() as running:
            assert running.state.postgres_pid != postgres
            assert running.state.supervisor_pid != supervisor
        assert not is_running(supervisor)


@pytest.mark.slow
def test_a_terminated_supervisor_stops_the_server_properly(state_dir: Path) -> None:
    """As at the machine's shutdown: a fast stop, and nothing to recover afterwards."""
    with user(state_dir, durable=True) as left:
        supervisor, postgres = left.wait_until_up()
        os.kill(supervisor, signal.SIGTERM)
        assert eventually(lambda: not is_running(postgres) and not is_running(supervisor))
    assert "database system is shut down" in (state_dir / "server.log").read_text("utf-8")
    assert not (state_dir / "data" / "postmaster.pid").exists()


@pytest.mark.slow
async def test_committed_data_survives_all_kills_at_once(state_dir: Path) -> None:
    """Client, supervisor and server killed together: the next start recovers."""
    killed = User(state_dir, durable=True)
    pids = killed.wait_until_up()
    with EmbeddedServer(state_dir).use() as running:
        await value(running.url(), "CREATE TABLE kept AS SELECT 42 AS answer")
        await value(running.url(), "CHECKPOINT")
    for pid in pids:
        kill(pid)
    killed.kill()
    with EmbeddedServer(state_dir).use() as running:
        assert await value(running.url(), "SELECT answer FROM kept") == 42


@pytest.mark.slow
def test_a_user_killed_in_the_first_start_leaves_a_folder_that_the_next_can_use(
    empty_state_dir: Path,
) -> None:
    """initdb works beside the data folder; a half-made one is never taken for whole."""
    killed = User(empty_state_dir)
    assert eventually(lambda: any(empty_state_dir.glob("data.new-*")))
    killed.kill()
    with quick(empty_state_dir).use() as running:
        assert is_running(running.state.postgres_pid)


@pytest.mark.slow
def test_a_supervisor_killed_in_the_first_start_leaves_a_folder_that_the_next_can_use(
    empty_state_dir: Path,
) -> None:
    """The unfinished data folder is removed and made again."""
    starter = User(empty_state_dir)
    lock = empty_state_dir / "supervisor.lock"
    assert eventually(lambda: any(empty_state_dir.glob("data.new-*")))
    kill(int(lock.read_text("ascii")))
    starter.kill()
    with quick(empty_state_dir).use() as running:
        assert is_running(running.state.postgres_pid)
    assert not list(empty_state_dir.glob("data.new-*"))


@pytest.mark.slow
def test_a_stale_process_id_of_another_program_does_not_block_the_start(state_dir: Path) -> None:
    """After a reboot the id in the server's lock file may be anybody's, also a running one's."""
    with quick(state_dir).use() as running:
        supervisor, postgres = running.state.supervisor_pid, running.state.postgres_pid
        pid_file = (state_dir / "data" / "postmaster.pid").read_text("utf-8")
    assert eventually(lambda: not is_running(supervisor))
    stale = pid_file.replace(str(postgres), str(os.getpid()), 1)
    (state_dir / "data" / "postmaster.pid").write_text(stale, "utf-8")
    with quick(state_dir).use() as again:
        assert is_running(again.state.postgres_pid)


@pytest.mark.slow
def test_a_throw_away_server_leaves_no_file_even_when_its_user_is_killed(state_dir: Path) -> None:
    """The folder goes with the last user."""
    script = (
        "import sys; from pathlib import Path; from surefoot.embedded import EmbeddedServer\n"
        "with EmbeddedServer(Path(sys.argv[1]), durable=False, remove_at_end=True).use():\n"
        "    print('up', flush=True); sys.stdin.read()"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script, str(state_dir)],
        cwd=LIBRARY,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"up\n"
    process.kill()
    process.communicate()
    assert eventually(lambda: not state_dir.exists())
