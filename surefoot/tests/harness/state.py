"""Folders for embedded servers, as fixtures; a conftest imports them where they are needed."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.processes import eventually, quick
from harness.server import temporary_folder
from surefoot.embedded import EmbeddedServer
from surefoot.errors import ServerStartFailed


@pytest.fixture
def empty_state_dir() -> Iterator[Path]:
    """A state folder that is still to be made; a server that is left in it goes with the test."""
    with temporary_folder() as parent:
        directory = parent / "state"
        yield directory
        with contextlib.suppress(ServerStartFailed):
            EmbeddedServer(directory).stop(now=True)


@pytest.fixture
def state_dir(empty_state_dir: Path, data_that_was_used: Path) -> Path:
    """A state folder in which a server ran before: copying its data is faster than initdb."""
    empty_state_dir.mkdir(mode=0o700)
    shutil.copytree(data_that_was_used, empty_state_dir / "data")
    return empty_state_dir


@pytest.fixture(scope="session")
def data_that_was_used() -> Iterator[Path]:
    """The data folder of a server that was started and stopped once."""
    with temporary_folder() as parent:
        server = quick(parent / "state")
        with server.use():
            pass
        assert eventually(lambda: not server.status().has_supervisor)
        yield server.place.data
