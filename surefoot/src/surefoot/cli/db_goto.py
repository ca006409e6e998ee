"""`surefoot db goto`: take a development database back by the files of another branch."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import click

from surefoot.branches.elsewhere import between, files_of, written
from surefoot.chain.revisions import Revision, ancestors, heads
from surefoot.chain.typed import revision_typed
from surefoot.cli import output
from surefoot.cli.own_database import Own, mine_option, own_database, steps_told
from surefoot.cli.project import on_database, project
from surefoot.errors import UpgradeFailed
from surefoot.errors.names import command, goal
from surefoot.project import Project
from surefoot.run import commands
from surefoot.run.report import named
from surefoot.run.telling import telling
from surefoot.wording import counted


@click.command()
@click.argument("revision", required=False, metavar="[REV]")
@mine_option
def goto(revision: str | None, mine: bool) -> None:
    """Take your database back to what this branch knows.

    After `git switch` it may have revisions of the branch that you were on. They are reverted by
    the files that applied them, which git has in some commit; the files of the working tree are
    never taken for them. The database is then at the newest revision that it and this branch have,
    or goes on to REV. What the reverted revisions had added is lost with its rows, and named.

    \b
    Examples:
      surefoot db goto
      surefoot db goto 0012
      surefoot db goto head

    Exit codes: 0 done, or nothing to do; 2 usage; 3 refused, and nothing was changed; 4 stopped
    part-way; 75 a retry is safe.
    """
    found = project()
    chain = found.revisions()
    to = None if revision is None else revision_typed(revision, chain)
    with own_database(mine=mine) as own:
        left = _taken_back(found, own, chain)
        if to is not None and left != {to}:
            back = partial(commands.downgrade, tell_losses=True)
            go = back if to in ancestors(chain, left) else commands.upgrade
            with telling(output.narrate) as tell:
                on_database(own.database, lambda at: go(at, to, listen=tell, signals=True))
        elif left != heads(chain) and to is None:
            output.narrate(f"Next: alembic upgrade {goal(heads(chain))}")


@contextmanager
def _for_good() -> Iterator[None]:
    """Name the way on where a file of another branch cannot go back: it is not corrected here."""
    try:
        yield
    except UpgradeFailed as error:
        if type(error) is UpgradeFailed:
            first = error.first if error.hint else "change what it stumbles over, "
            error.help = (
                f"{first}then `{command()} db goto` again; or give the database up: "
                f"`{command()} db reset --execute` makes a new one at head"
            )
        raise


def _taken_back(found: Project, own: Own, chain: tuple[Revision, ...]) -> set[str]:
    """Revert what no file here is of; the newest revisions that are left."""
    at = between(own.name, chain, own.tables)
    if not at.strangers:
        place = named(own.tables.heads)
        output.narrate(f"OK  {own.name} is at {place}; it has no revision of another branch")
        return {*own.tables.heads}
    files, at = files_of(found, at)
    with tempfile.TemporaryDirectory(prefix="surefoot-goto-") as made:
        end = written(found, at, files, Path(made))
        for each in reversed(files):
            output.answer(f"  {each}")
        versions = Path(made) / "versions"
        with steps_told() as listen, _for_good():
            report = on_database(
                own.database,
                lambda target: commands.downgrade(
                    target, end, listen=listen, signals=True, versions=versions, tell_losses=True
                ),
            )
    count, place = counted(len(report.steps), "revision"), named(report.after)
    output.narrate(f"OK  {count} of another branch reverted; {own.name} is at {place}")
    return {*report.after}
