"""The embedded server: one for all who use it, gone after the last."""

import os
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from harness.databases import value
from harness.processes import User, eventually, is_running, quick, user
from harness.server import LIBRARY
from surefoot import Database, Limits
from surefoot.embedded import EmbeddedServer
from surefoot.errors import DatabaseUrlMissing, EmbeddedServerMissing, ServerInUse

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks at processes through /proc")


@pytest.mark.slow
def test_commands_that_start_together_share_one_server(empty_state_dir: Path) -> None:
    """Five commands that begin at once, where there is nothing yet, meet on one server."""
    users = [User(empty_state_dir) for _ in range(5)]
    found = {started.wait_until_up() for started in users}
    for started in users:
        started.leave()
    assert len(found) == 1


@pytest.mark.slow
def test_the_last_user_ends_the_server(state_dir: Path) -> None:
    """The server outlives its first user and not its last."""
    with user(state_dir) as first, user(state_dir) as last:
        supervisor, postgres = first.wait_until_up()
        last.wait_until_up()
        first.leave()
        time.sleep(0.3)
        assert is_running(postgres)
        last.leave()
        assert eventually(lambda: not is_running(postgres) and not is_running(supervisor))
    assert not (state_dir / "server.json").exists()


@pytest.mark.slow
def test_users_that_come_and_go_always_get_a_server(state_dir: Path) -> None:
    """Whoever arrives while the server stops waits for that and has a new one."""
    for _ in range(8):
        with quick(state_dir).use() as running:
            assert is_running(running.state.postgres_pid)
        time.sleep(0.09)  # about when the supervisor looks for users


@pytest.mark.slow
async def test_data_is_kept_between_runs(state_dir: Path) -> None:
    """Commits are there when the next command starts the server."""
    with EmbeddedServer(state_dir).use() as running:
        await value(running.url(), "CREATE TABLE kept AS SELECT 42 AS answer")
        postgres = running.state.postgres_pid
    assert eventually(lambda: not is_running(postgres))
    with EmbeddedServer(state_dir).use() as running:
        assert await value(running.url(), "SELECT answer FROM kept") == 42


@pytest.mark.slow
async def test_the_database_is_made_again_after_it_was_dropped(state_dir: Path) -> None:
    """A developer who drops the database begins with an empty one."""
    with quick(state_dir).use() as running:
        await value(running.url("postgres"), f'DROP DATABASE "{running.database}"')
        with quick(state_dir).use() as again:
            assert await value(again.url(), "SELECT current_user") == "surefoot"


@pytest.mark.slow
async def test_no_port_is_open(state_dir: Path) -> None:
    """Only who can enter the socket's folder can connect."""
    with quick(state_dir).use() as running:
        assert await value(running.url(), "SHOW listen_addresses") == ""


@pytest.mark.slow
def test_nobody_else_can_enter_the_folders(state_dir: Path) -> None:
    """The socket asks for no password, so its folder lets nobody else in."""
    with quick(state_dir).use() as running:
        assert mode(Path(running.state.run)) == mode(state_dir) == 0o700


@pytest.mark.slow
async def test_the_development_server_survives_a_crash_of_the_machine(state_dir: Path) -> None:
    """Pages and log are synced; only the wait for it at commit is saved."""
    with EmbeddedServer(state_dir).use() as running:
        assert await value(running.url(), "SHOW fsync") == "on"
        assert await value(running.url(), "SHOW full_page_writes") == "on"


@pytest.mark.slow
def test_a_pinned_server_stays_without_users_until_it_is_stopped(state_dir: Path) -> None:
    """start() keeps it; stop() ends it, and says whether there was one."""
    server = quick(state_dir)
    state = server.start()
    time.sleep(0.3)
    assert is_running(state.postgres_pid)
    assert server.status().pinned
    assert server.stop() is True
    assert not is_running(state.postgres_pid)
    assert server.status().running is None
    assert server.stop() is False


@pytest.mark.slow
def test_stop_refuses_while_others_use_the_server(state_dir: Path) -> None:
    """The refusal names them and changes nothing; with now=True they lose it."""
    server = quick(state_dir)
    with user(state_dir) as other:
        _, postgres = other.wait_until_up()
        name = Path(f"/proc/{other.process.pid}/comm").read_text("utf-8").strip()
        with pytest.raises(ServerInUse) as refused:
            server.stop()
        assert refused.value.users == (f"{name} (pid {other.process.pid})",)
        assert is_running(postgres)
        assert server.stop(now=True) is True
        assert not is_running(postgres)


@pytest.mark.slow
def test_a_pin_with_an_end_ends(state_dir: Path) -> None:
    """A server that is kept for a look goes by itself."""
    server = quick(state_dir)
    with server.use() as running:
        server.folder.pin(0.5)
        postgres = running.state.postgres_pid
    time.sleep(0.25)
    assert is_running(postgres)
    assert eventually(lambda: not is_running(postgres))


def test_a_database_url_is_left_alone(empty_state_dir: Path) -> None:
    """With DATABASE_URL set nothing is started."""
    database = Database("postgresql://u@h/d", embedded=empty_state_dir)
    with database.available() as named:
        assert named is database
    assert not empty_state_dir.exists()


@pytest.mark.slow
async def test_without_a_database_url_the_embedded_server_is_in_force(
    empty_state_dir: Path,
) -> None:
    """The database that comes back names it, and a start is narrated."""
    said: list[str] = []
    with Database(embedded=empty_state_dir).available(said.append) as named:
        url = named.url or ""
        assert url == f"postgresql://surefoot@/surefoot_dev?host={empty_state_dir}/run"
        assert await value(url, "SELECT current_database()") == "surefoot_dev"
    assert said == [f"starting PostgreSQL 18 in {empty_state_dir}, for the first time"]


def test_production_does_not_start_a_server(empty_state_dir: Path) -> None:
    """An unset DATABASE_URL is an error there, with what to set."""
    database = Database(embedded=empty_state_dir, limits=Limits(production=True))
    with pytest.raises(DatabaseUrlMissing) as missing, database.available():
        pass
    # How the setting is named depends on whether a project has told the library.
    assert str(missing.value).endswith(
        " is not set, and the embedded server is for development only"
    )


@pytest.mark.parametrize("limits", [Limits(), Limits(production=True)])
def test_a_url_and_no_server_of_its_own(limits: Limits) -> None:
    """A command for the embedded server does not say that no URL is set."""
    with pytest.raises(EmbeddedServerMissing) as missing:
        Database("postgresql://db.example.org/shop", limits=limits).embedded_server()
    assert str(missing.value).endswith(" is set")
    assert "is not set" not in missing.value.render()


@pytest.mark.slow
def test_without_binaries_the_missing_url_is_the_error(empty_state_dir: Path) -> None:
    """As in the container image: no wheel, no installed server."""
    script = (
        "import sys; from pathlib import Path; from surefoot import Database\n"
        "from surefoot.embedded import binaries\n"
        "binaries.WHEELS, binaries.INSTALLED = (), ()\n"
        "with Database(embedded=Path(sys.argv[1])).available(): pass"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(empty_state_dir)],
        cwd=LIBRARY,
        env={**os.environ, "PATH": "/nowhere"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ("is not set, and no PostgreSQL is installed here to start one with") in done.stderr


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)
