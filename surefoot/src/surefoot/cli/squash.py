"""`surefoot squash`: write the first revisions as one file, for empty databases."""

import asyncio
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import click

from surefoot.chain.lockfile import read_lock, with_known, write_lock
from surefoot.chain.revisions import Revision, ancestors
from surefoot.chain.squashed import NAME
from surefoot.chain.typed import revision_typed
from surefoot.chain.whole_file import write_whole
from surefoot.cli import output
from surefoot.cli.project import database, project, serving
from surefoot.cli.targets import target_option
from surefoot.compat.alembic import files_read_once
from surefoot.errors import names
from surefoot.run.narration import trying
from surefoot.squashing.make import Made, make
from surefoot.wording import counted, size


@click.command(name="squash")
@click.argument("revision", metavar="REV")
@click.option(
    "--from-database",
    is_flag=True,
    help="Take the schema of the database, which is at REV: the revisions do not run on an empty "
    "one.",
)
@target_option
def command(revision: str, from_database: bool) -> None:
    """Write the revisions up to REV as one file, which empty databases begin with.

    squashed.sql has their schema and their rows, as pg_dump writes them. It is written where it
    gives what the revisions give, on each PostgreSQL at hand. The revisions stay: databases that
    are behind, downgrades and `--sql` run them. To undo it, delete the file.

    Where the first revisions need tables that none of them creates, nothing that tries revisions
    on a scratch database can begin. With --from-database the file has the schema of a database
    that is at REV, without rows and privileges, and scratch databases begin with it, too.

    \b
    Examples:
      surefoot squash head
      surefoot squash 0950
      surefoot squash head --from-database

    Exit codes: 0 written; 2 usage; 3 refused; 4 or 75 a revision or the scratch server failed. It
    writes the whole file or nothing.
    """
    found = project()
    revisions = found.revisions()
    found.check_lock(revisions)
    to = revision_typed(revision, revisions)

    def told(major: int) -> None:
        output.narrate(f"Trying it on PostgreSQL {major}")

    listen = trying(output.narrate, [each.id for each in revisions])
    with files_read_once(), serving() if from_database else nullcontext(database()) as given:
        made = asyncio.run(
            make(found, given, to, from_database=from_database, listen=listen, told=told)
        )
    if found.revisions() != revisions:
        raise click.ClickException("a revision was edited meanwhile; nothing was written")
    text = made.squash.text()
    write_whole(found.squashed, text.encode())
    _tell(made, len(text.encode()))
    if made.fingerprint is not None and _forgotten(found.lock, revisions, to, made.fingerprint):
        output.narrate(
            f"{found.lock.name} had fingerprints of another schema, and has none now. Next: "
            f"{names.command()} lock"
        )


def _forgotten(lock: Path, revisions: Sequence[Revision], revision: str, fingerprint: str) -> bool:
    """Whether the lock lost what was seen on the schema of a former file, which is another one."""
    if not lock.exists():
        return False
    known = with_known(revisions, read_lock(lock))
    found = {each.id: each.fingerprint for each in known if each.fingerprint is not None}
    if not found or found.get(revision) == fingerprint:
        return False
    below = ancestors(known, [revision])
    # A verdict is of a schema, too.
    seen = {each.id: each.verdict if each.id in below else None for each in known}
    write_lock(lock, [replace(each, fingerprint=None, verdict=seen[each.id]) for each in known])
    return True


def _tell(made: Made, length: int) -> None:
    squash = made.squash
    proved = ", ".join(map(str, squash.majors))
    if made.without:
        output.narrate(f"without the schemas of others: {', '.join(made.without)}")
    output.narrate(
        f"OK  {NAME} written: {counted(squash.count, 'revision')} up to {squash.revision}, "
        f"{size(length)}, proved on PostgreSQL {proved}"
    )
    then = "where no new database can begin" if squash.from_database else "which runs the revisions"
    for major, reason in made.unproved.items():
        output.narrate(f"not proved on PostgreSQL {major}, {then}: {reason}")
    if squash.from_database:
        output.narrate(
            "it has the schema alone: no rows, such as those that revisions insert, no owners and "
            "no privileges"
        )
    if made.unfilled:
        output.narrate(f"not filled, as empty tables cannot: {', '.join(made.unfilled)}")
    if squash.needs_utc:
        output.narrate("it has constants with a time zone: only sessions in UTC begin with it")
