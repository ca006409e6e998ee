"""Fixtures with folders for embedded servers."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.processes import eventually, quick
from harness.server import ROLE, temporary_folder
from surefoot.embedded import EmbeddedServer
from surefoot.embedded.protocol import execute
from surefoot.errors import ServerStartFailed


@pytest.fixture
def empty_state_dir() -> Iterator[Path]:
    """The path of a folder for a server; a server that is left in it ends with the test."""
    with temporary_folder() as parent:
        directory = parent / "state"
        yield directory
        with contextlib.suppress(ServerStartFailed):
            EmbeddedServer(directory).stop(now=True)


@pytest.fixture
def state_dir(empty_state_dir: Path, data_that_was_used: Path) -> Path:
    """The folder of a server that ran before: copying its data is faster than initdb."""
    empty_state_dir.mkdir(mode=0o700)
    shutil.copytree(data_that_was_used, empty_state_dir / "data")
    return empty_state_dir


@pytest.fixture(scope="session")
def state_role() -> str:
    """A superuser of the servers in these folders."""
    return ROLE


@pytest.fixture(scope="session")
def data_that_was_used(state_role: str) -> Iterator[Path]:
    """The data folder of a server that was started and stopped once.

    It has the role of the library's default, and `state_role`.
    """
    with temporary_folder() as parent:
        server = quick(parent / "state")
        with server.use() as running:
            run = Path(running.state.run)
            # A server that waits for no disk loses commits that no checkpoint has written.
            for statement in (f"CREATE ROLE {state_role} SUPERUSER LOGIN", "CHECKPOINT"):
                assert not execute(run, user=server.user, database="postgres", statement=statement)
        assert eventually(lambda: not server.status().has_supervisor)
        yield server.folder.data
