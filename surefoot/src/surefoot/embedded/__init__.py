"""A real PostgreSQL of the project's own, for a development machine that has none.

    with EmbeddedServer(folder).use() as running:
        database = Database(running.url())

    command --- shared lock ---+
    command --- shared lock ---+--> supervisor --> postgres --> .vegafs/data
    killed command: no lock any more

binaries.py finds the programs, server.py joins or starts, supervisor.py keeps and ends,
postgres.py and identity.py run the server (also for root), place.py knows the files.
Nothing here imports more than the standard library until it is used: the supervisor has no more.
"""

from __future__ import annotations

from surefoot.embedded.binaries import Binaries, find_binaries, find_program
from surefoot.embedded.server import DATABASE, USER, EmbeddedServer, Running, Status

__all__ = [
    "DATABASE",
    "USER",
    "Binaries",
    "EmbeddedServer",
    "Running",
    "Status",
    "find_binaries",
    "find_program",
]
