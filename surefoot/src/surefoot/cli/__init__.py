"""The `surefoot` command: everything that Alembic has no command for.

    surefoot adopt               how a project of Alembic moves in
    surefoot status              where the database is, and what is next
    surefoot plan|lint|explain   the effect of a revision, before it runs
    surefoot upgrade|downgrade   as Alembic does, with a report and a reason
    surefoot drift|verify        the differences between a database and its revisions
    surefoot ledger|ops          the runs on a database; override a guard with a reason
    surefoot services            the builds that are running on the database
    surefoot lock|squash         revisions.lock; squashed.sql
    surefoot rebase|amend|drop-last|db   branches of git, and your own development database

Each command is a module of this package, imported when it is called: help comes at once.
"""

from surefoot.cli import output
from surefoot.cli.group import COMMANDS, main, surefoot
from surefoot.cli.suggesting import Commands, Group

__all__ = ["COMMANDS", "Commands", "Group", "main", "output", "surefoot"]
