"""The `surefoot` command: what Alembic has no word for.

    surefoot plan|lint|explain   see what a revision does before it does it
    surefoot upgrade|downgrade   as Alembic does, with a report and a reason
    surefoot drift|verify        is the database what its revisions give
    surefoot ledger|ops          what was done to the database; override a guard with a reason
    surefoot services            which builds live on the database
    surefoot lock|db             the list of revisions; the embedded PostgreSQL

Each command is a module of this package, imported when it is called: help comes at once.
"""

from surefoot.cli import output
from surefoot.cli.group import COMMANDS, Commands, main, surefoot

__all__ = ["COMMANDS", "Commands", "main", "output", "surefoot"]
