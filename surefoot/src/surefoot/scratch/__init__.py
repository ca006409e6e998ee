"""Databases to try revisions on, and the server that they are on.

    scratch_url -------------------------------+
    embedded server of the project ------------+--> a new database --> Scratch, gone after the block
    kept server --> template, or nothing ------+           |
    throw-away server -------------------------+           '--> kept as the next template

databases.py makes them; kept_server.py has the server that stays, templates.py its databases.
"""

from surefoot.scratch.databases import UNCOMMITTED, Scratch, copied, scratch, scratch_and_server

__all__ = ["UNCOMMITTED", "Scratch", "copied", "scratch", "scratch_and_server"]
