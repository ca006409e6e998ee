"""A PostgreSQL server in a folder, for machines that have none and for scratch databases.

    with EmbeddedServer(folder).use() as running:
        database = Database(running.url())

    command --- shared lock ---+
    command --- shared lock ---+--> supervisor --> postgres --> FOLDER/data
    killed command: its lock is released

binaries.py finds the programs, server.py joins or starts a server, supervisor.py stops it,
postgres.py and identity.py run it (also for root), folder.py has the paths. These modules import
the standard library only, because the supervisor runs without site-packages.
"""

from surefoot.embedded.binaries import Binaries, find_binaries, find_program, majors_at_hand
from surefoot.embedded.server import EmbeddedServer, Running, Status

__all__ = [
    "Binaries",
    "EmbeddedServer",
    "Running",
    "Status",
    "find_binaries",
    "find_program",
    "majors_at_hand",
]
