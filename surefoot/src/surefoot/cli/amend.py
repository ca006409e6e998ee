"""`surefoot amend`: write the newest revisions again from the models."""

import io
import os
from contextlib import redirect_stdout
from dataclasses import replace
from pathlib import Path

import click
from alembic.config import main as alembic

from surefoot.branches.amending import Taken, keep, newest, remove, restore
from surefoot.branches.elsewhere import between
from surefoot.branches.upstream import refuse_released
from surefoot.chain.backfills import backfill_paths
from surefoot.chain.typed import revision_typed
from surefoot.chain.way_back import way_back
from surefoot.chain.whole_file import write_all
from surefoot.cli import output
from surefoot.cli.own_database import Own, mine_option, own_database, steps_told
from surefoot.cli.project import on_database, project
from surefoot.errors import UsageError, names
from surefoot.project import Project
from surefoot.run import commands

# With this Alembic exits after an error of its own, which it has printed.
_ALEMBICS = -1


@click.command(name="amend")
@click.argument("revision", required=False, metavar="[REV]")
@click.option("-m", "--message", help="Another title; without it the first one stays.")
@mine_option
def command(revision: str | None, message: str | None, mine: bool) -> None:
    """Write the newest revision again from the models.

    With REV also those from there on. It is reverted in your development database, deleted, written
    by autogenerate under its title, and applied. What it had added is lost with its rows, and
    named. The former files, with all that you wrote into them, are kept in .git/surefoot. Refused
    where others may have the revision: on the main branch, or on a database that is not yours
    alone.

    \b
    Examples:
      surefoot amend
      surefoot amend 0012
      surefoot amend -m "add the rank of jobs"

    \b
    Exit codes: 0 done; 2 usage; 3 refused, and nothing was changed.
    """
    found = project()
    with own_database(mine=mine) as own:
        taken = taken_out(found, own, revision)
        revert(found, own, taken)
        before = _files(found)
        try:
            raise_to_head(own)
            _autogenerate(found, message or taken.title)
        except BaseException:
            if made := {path: path.read_bytes() for path in _files(found) - before}:
                _keep(found, replace(taken, files=made))
                write_all(dict.fromkeys(made))
            restore(taken)
            raise_to_head(own)
            output.narrate("NOT WRITTEN  the former files are back, and applied")
            raise
        raise_to_head(own)
    written = [each for each in found.revisions() if each.id not in taken.before]
    for each in written:
        output.answer(f"  {each.file_name}")
    state = "written again, and applied" if written else "the models need no revision in its place"
    output.narrate(f"OK  {state}")


def _files(found: Project) -> set[Path]:
    return {*map(Path, found.codes()), *backfill_paths(found.lock)}


def taken_out(found: Project, own: Own, revision: str | None) -> Taken:
    """The revisions to be taken out. On failure: RevisionReleased, UsageError."""
    chain = found.revisions()
    found.check_lock(chain)
    first = None if revision is None else revision_typed(revision, chain)
    taken = newest(found, chain, first)
    refuse_released(found.lock, taken.revisions)
    if strangers := between(own.name, chain, own.tables).strangers:
        raise UsageError(
            f"{own.name} has {', '.join(strangers)} by other files than those here",
            help=f"first `{names.command()} db goto`",
        )
    return taken


def revert(found: Project, own: Own, taken: Taken) -> None:
    """Keep the files, revert the revisions, delete the files. On failure: no file is deleted."""
    _keep(found, taken)
    chain = found.revisions()
    known = [each.id for each in between(own.name, chain, own.tables).known]
    applied = [each.id for each in taken.revisions if each.id in known]
    end = way_back(chain, known, applied) if applied else None
    if end is not None:
        with steps_told() as tell:
            on_database(
                own.database,
                lambda target: commands.downgrade(
                    target, end, listen=tell, signals=True, tell_losses=True
                ),
            )
    remove(found, taken)


def _keep(found: Project, taken: Taken) -> None:
    """Copy the files, and say where to."""
    listed = ", ".join(path.name for path in taken.files)
    output.narrate(f"KEEP  {os.path.relpath(keep(found, taken))}: {listed}")


def raise_to_head(own: Own) -> None:
    """Apply what is pending."""
    with steps_told() as tell:
        on_database(
            own.database,
            lambda target: commands.upgrade(target, "heads", listen=tell, signals=True),
        )


def _autogenerate(found: Project, title: str) -> None:
    """Write the difference between models and database.

    On failure: UsageError with Alembic's own text; SystemExit, where an error was told already.
    """
    typed = ["-c", str(found.ini), "revision", "--autogenerate", "-m", title]
    try:
        # It narrates on stdout, where the answer of this command is.
        with redirect_stdout(said := io.StringIO()):
            alembic(argv=typed, prog="alembic")
    except SystemExit as error:
        if error.code == _ALEMBICS:
            reason = said.getvalue().rpartition("FAILED: ")[2]
            raise UsageError(" ".join(reason.split())) from None
        if error.code:
            raise
