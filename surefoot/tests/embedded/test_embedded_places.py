"""Where the embedded server lies and which PostgreSQL it is."""

import os
import stat
import sys
from pathlib import Path

import pytest

from harness.databases import value
from harness.processes import eventually, is_running, quick
from surefoot.embedded import EmbeddedServer, find_binaries
from surefoot.errors import ServerBinariesMissing, ServerStartFailed

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks at processes through /proc")


@pytest.mark.slow
async def test_a_long_state_path_gets_a_short_private_socket_folder(state_dir: Path) -> None:
    """A socket's path has at most 107 bytes; its folder then lies in the temporary one."""
    deep = state_dir / ("long-" * 20) / ("path-" * 20)
    with quick(deep).use() as running:
        socket_folder = Path(running.state.run)
        assert not socket_folder.is_relative_to(state_dir)
        assert stat.S_IMODE(os.stat(socket_folder).st_mode) == 0o700  # noqa: PTH116
        assert await value(running.url(), "SELECT 1") == 1
    assert eventually(lambda: not socket_folder.exists())


@pytest.mark.slow
async def test_a_path_with_reserved_characters_works(state_dir: Path) -> None:
    """Spaces, percent signs and the like are quoted in the URL and read back from it."""
    with quick(state_dir / "a b%41+c#d?e&f@g:h").use() as running:
        assert await value(running.url(), "SELECT 1") == 1


@pytest.mark.slow
async def test_a_path_with_a_comma_works(state_dir: Path) -> None:
    """A comma would name two hosts in a URL, so the socket lies elsewhere."""
    with quick(state_dir / "a,b").use() as running:
        assert await value(running.url(), "SELECT 1") == 1


@pytest.mark.slow
def test_a_socket_folder_that_is_open_to_others_is_refused(empty_state_dir: Path) -> None:
    """Its name can be guessed, so whoever made it first must have been us."""
    deep = empty_state_dir / ("long-" * 30)
    socket_folder = quick(deep).folder.run
    socket_folder.mkdir()
    socket_folder.chmod(0o755)
    try:
        with pytest.raises(ServerStartFailed, match="is open to others; its mode must be 0700"):
            quick(deep).start()
    finally:
        socket_folder.rmdir()


def test_a_file_in_the_place_of_the_folder_is_named(tmp_path: Path) -> None:
    """It is no server, and none is started in its place."""
    path = tmp_path / "state"
    path.touch()
    server = quick(path)
    assert (server.status().has_supervisor, server.stop()) == (False, False)
    with pytest.raises(ServerStartFailed, match="state cannot be made: File exists"):
        server.start()


@pytest.mark.slow
def test_a_removed_state_folder_ends_its_server(state_dir: Path) -> None:
    """`rm -rf` of the folder stops it."""
    state = quick(state_dir).start()
    state_dir.rename(state_dir.with_name("removed"))
    assert eventually(lambda: not is_running(state.postgres_pid))
    state_dir.with_name("removed").rename(state_dir)


@pytest.mark.slow
async def test_data_is_read_by_the_major_that_made_it(empty_state_dir: Path) -> None:
    """Where several are installed, the folder chooses."""
    older = find_binaries(major=16)
    if older is None:
        pytest.skip("there is no PostgreSQL 16 here")
    with EmbeddedServer(empty_state_dir, major=16, durable=False).use() as running:
        supervisor = running.state.supervisor_pid
    assert eventually(lambda: not is_running(supervisor))
    with EmbeddedServer(empty_state_dir, durable=False).use() as running:
        assert running.state.major == 16
        assert str(await value(running.url(), "SHOW server_version")).startswith("16.")


@pytest.mark.slow
def test_data_that_no_installed_major_can_read_is_a_clear_error(empty_state_dir: Path) -> None:
    """Both majors are named, and what to do."""
    (empty_state_dir / "data").mkdir(parents=True)
    (empty_state_dir / "data" / "PG_VERSION").write_text("9\n")
    with pytest.raises(ServerBinariesMissing) as missing:
        EmbeddedServer(empty_state_dir).start()
    assert str(missing.value).startswith(
        f"{empty_state_dir / 'data'} was made by PostgreSQL 9, and only "
    )
    assert f"remove {empty_state_dir / 'data'}" in (missing.value.help or "")


def test_a_named_folder_without_the_programs_is_a_clear_error(state_dir: Path) -> None:
    """No other folder is searched."""
    with pytest.raises(ServerBinariesMissing) as missing:
        EmbeddedServer(state_dir, bindir=state_dir.parent).start()
    assert str(missing.value) == (f"{state_dir.parent} lacks initdb and postgres")


@pytest.mark.slow
def test_a_server_that_does_not_start_shows_its_log(state_dir: Path) -> None:
    """The reason stands in the error, not only in a file."""
    server = EmbeddedServer(state_dir, durable=False, options={"no_such_setting": "1"})
    with pytest.raises(ServerStartFailed) as failed:
        server.start()
    assert failed.value.reason == "postgres ended with exit code 1"
    assert any("no_such_setting" in line for line in failed.value.log_tail)
