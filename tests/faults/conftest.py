"""Servers of a test's own."""

from collections.abc import Iterator

import pytest

from harness.private import PrivateServer, private_servers
from harness.server import Server


@pytest.fixture
def private_server(server: Server) -> Iterator[PrivateServer]:
    """Starts servers of the test's own."""
    with private_servers(server) as start:
        yield start
