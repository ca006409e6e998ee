"""`surefoot ops`: override a guard. Each command needs a reason, which the ledger keeps."""

import asyncio
from collections.abc import Sequence
from functools import partial

import click

from surefoot.catalog import Catalog
from surefoot.cli import output
from surefoot.cli.project import database, on_target, project
from surefoot.cli.suggesting import Group
from surefoot.cli.targets import target_option
from surefoot.cli.telling import told
from surefoot.connect.database import Database
from surefoot.differences import deviations, listing, without_excluded
from surefoot.errors import names
from surefoot.project import Project
from surefoot.run import commands as upgrade
from surefoot.run.commands import accept_checksum
from surefoot.run.scratch import scratch_at
from surefoot.trace.fingerprints import catalog_of
from surefoot.wording import counted

reason_option = click.option("--reason", required=True, help="Why; the ledger keeps it.")

execute_option = click.option(
    "--execute", is_flag=True, help="Do it; without this the differences are shown."
)


@click.group(cls=Group, name="ops")
def command() -> None:
    """Override a guard, with a reason that the ledger keeps.

    \b
    Examples:
      surefoot ops stamp 0007 --reason "restored from the backup of Monday"
      surefoot ops adopt 0001 --reason "made by hand before there were revisions"
      surefoot ops adopt 0009 --reason "plain Alembic applied 0008 and 0009"
      surefoot ops adopt 0042 --reason "0001 to 0041 were squashed into it"
      surefoot ops accept-checksum 0006 --reason "a typo in a comment of the table"

    Exit codes: 0 recorded, or shown; 2 usage; 3 refused, and nothing was changed; 4 a revision
    failed on the scratch database; 75 a retry is safe.
    """


@command.command()
@click.argument("revisions", nargs=-1, required=True)
@reason_option
@execute_option
@target_option
def stamp(revisions: tuple[str, ...], reason: str, execute: bool) -> None:
    """Record that the database is at REVISIONS, whatever its schema is.

    Without --execute it shows how the schema differs from that of REVISIONS.

    \b
    Examples:
      surefoot ops stamp 0007 --reason "restored from the backup of Monday"
      surefoot ops stamp 0007 --reason "restored from the backup of Monday" --execute
    """
    _stamp(revisions, reason, execute=execute, adopt=False)


@command.command()
@click.argument("revisions", nargs=-1, required=True)
@reason_option
@execute_option
@target_option
def adopt(revisions: tuple[str, ...], reason: str, execute: bool) -> None:
    """Adopt a database at REVISIONS, whatever its version table and its ledger say.

    For tables that were made without revisions; for revisions that plain Alembic, offline SQL or a
    hand applied; after revisions were squashed or renamed; after a version table or a ledger was
    lost. The ledger keeps the old rows and gets one for each revision that it lacks, has too many,
    or has with another file. Without --execute it shows how the schema differs.

    \b
    Examples:
      surefoot ops adopt 0001 --reason "made by hand before there were revisions"
      surefoot ops adopt 0042 --reason "0001 to 0041 were squashed into it" --execute
    """
    _stamp(revisions, reason, execute=execute, adopt=True)


@command.command("accept-checksum")
@click.argument("revision")
@reason_option
@target_option
def accept(revision: str, reason: str) -> None:
    """Accept the edited file of the applied REVISION.

    \b
    Examples:
      surefoot ops accept-checksum 0006 --reason "a typo in a comment of the table"
      surefoot ops accept-checksum 0006 --reason "its SQL is formatted, and does the same"
    """
    table = project().version_table
    row = on_target(lambda target: accept_checksum(target, revision, reason, table))
    output.narrate(f"OK  {revision} is accepted as {row.checksum[:8]}…; the ledger keeps why")


def _stamp(revisions: Sequence[str], reason: str, *, execute: bool, adopt: bool) -> None:
    expected = asyncio.run(_expected(project(), database(), revisions))
    found = without_excluded(on_target(catalog_of), expected, project().exclude)
    differences = deviations(expected, found)
    if differences:
        output.answer("\n".join(listing(differences)))
    count = counted(len(differences), "difference")
    output.narrate(f"{count} between the database and the schema of {', '.join(revisions)}")
    if not execute:
        verb = "adopt" if adopt else "stamp"
        named = f"{verb} {names.arguments(revisions)}"
        output.narrate(f"Next: {names.command()} ops {named} --reason … --execute")
        return
    stamped = partial(upgrade.stamp, reason=reason, adopt=adopt)
    told(lambda target, listen: stamped(target, revisions, listen=listen))


async def _expected(of: Project, database: Database, revisions: Sequence[str]) -> Catalog:
    """The catalog that the revisions give on a scratch database."""
    async with scratch_at(database, of, revisions) as target:
        return await catalog_of(target)
