"""`surefoot squash`: write the first revisions as one file, for empty databases."""

import asyncio
import difflib

import click

from surefoot.chain.revisions import Revision, heads
from surefoot.chain.squashed import NAME
from surefoot.chain.whole_file import write_whole
from surefoot.cli import output
from surefoot.cli.project import database, project
from surefoot.compat.alembic import files_read_once
from surefoot.errors import RevisionUnknown, names
from surefoot.squashing.make import Made, make


@click.command(name="squash")
@click.argument("revision", metavar="REV")
def command(revision: str) -> None:
    """Write the revisions up to REV as one file, which empty databases begin with.

    \b
    squashed.sql has their schema and their rows, as pg_dump writes them. It is written where it
    gives what the revisions give, on each PostgreSQL at hand. The revisions stay: databases that
    are behind, downgrades and `--sql` run them. To undo it, delete the file.

    \b
    Examples:
      surefoot squash head
      surefoot squash 0950
    """
    found = project()
    revisions = found.revisions()
    found.check_lock(revisions)
    to = _resolved(revisions, revision)

    def told(major: int) -> None:
        output.narrate(f"Trying it on PostgreSQL {major}")

    listen = output.trying([each.id for each in revisions])
    with files_read_once():
        made = asyncio.run(make(found, database(), to, listen=listen, told=told))
    if found.revisions() != revisions:
        raise click.ClickException("a revision was edited meanwhile; nothing was written")
    text = made.squash.text()
    write_whole(found.squashed, text.encode())
    _tell(made, len(text.encode()))


def _tell(made: Made, size: int) -> None:
    squash = made.squash
    proved = ", ".join(map(str, squash.majors))
    output.narrate(
        f"OK  {NAME} written: {squash.count} revisions up to {squash.revision}, {size / 1024:.0f} "
        f"KB, proved on PostgreSQL {proved}"
    )
    for major, reason in made.unproved.items():
        output.narrate(f"not proved on PostgreSQL {major}, which runs the revisions: {reason}")
    if squash.needs_utc:
        output.narrate("it has constants with a time zone: only sessions in UTC begin with it")


def _resolved(revisions: tuple[Revision, ...], named: str) -> str:
    """The id of one revision. On failure: RevisionUnknown."""
    ids, newest = [each.id for each in revisions], sorted(heads(revisions))
    if named in ("head", "heads"):
        if len(newest) == 1:
            return newest[0]
        several = ", ".join(newest) or "none"
        raise RevisionUnknown(
            f"there is not one head ({several}), and a squash ends at one: name it"
        )
    found = [named] if named in ids else [each for each in ids if named and each.startswith(named)]
    if len(found) == 1:
        return found[0]
    near = difflib.get_close_matches(named, ids, n=1)
    reason = f"{len(found)} ids begin with {named!r}" if found else f"no revision is {named!r}"
    hint = f"; did you mean `{names.command()} squash {near[0]}`?" if near and not found else ""
    raise RevisionUnknown(reason + hint)
