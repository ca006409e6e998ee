"""`surefoot drop-last`: take the newest revision back and delete it."""

import click

from surefoot.cli import output
from surefoot.cli.amend import revert, taken_out
from surefoot.cli.own_database import mine_option, own_database
from surefoot.cli.project import project


@click.command(name="drop-last")
@mine_option
def command(mine: bool) -> None:
    """Take the newest revision back and delete it.

    It is reverted in your development database: what it had added is lost with its rows, and
    named. The file is kept in .git/surefoot; the models are left as they are. Refused where others
    may have the revision: on the main branch, or on a database that is not yours alone.

    \b
    Examples:
      surefoot drop-last
      surefoot drop-last --mine

    \b
    Exit codes: 0 done; 2 usage; 3 refused, and nothing was changed.
    """
    found = project()
    with own_database(mine=mine) as own:
        taken = taken_out(found, own, None)
        revert(found, own, taken)
    output.narrate(f"OK  {taken.revisions[0].name} deleted, and {found.lock.name} written")
