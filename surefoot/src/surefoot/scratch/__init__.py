"""Databases to try revisions on, and the server that they are on.

    scratch_url -------------------------------+
    embedded server of the project ------------+--> a new database --> Scratch, gone after the block
    kept server --> template, or nothing ------+           |
    throw-away server -------------------------+           '--> kept as the next template

databases.py makes them; kept_server.py has the server that stays, templates.py its databases;
shared_catalogs.py refuses what would stay on the server of somebody else.
"""

from surefoot.scratch.databases import Scratch, scratch, scratch_database
from surefoot.scratch.shared_catalogs import UNCOMMITTED

__all__ = ["UNCOMMITTED", "Scratch", "scratch", "scratch_database"]
