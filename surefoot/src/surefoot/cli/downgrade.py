"""`surefoot downgrade`: `alembic downgrade`, with an override for lost data in production."""

import click

from surefoot.cli import output
from surefoot.cli.targets import target_option
from surefoot.cli.telling import told
from surefoot.errors import ReasonMissing
from surefoot.run import commands as upgrade


@click.command(name="downgrade", context_settings={"ignore_unknown_options": True})
@click.argument("revision")
@output.events_option
@click.option("--execute", is_flag=True, help="In production: also where data is lost.")
@click.option("--reason", help="Why; the ledger keeps it.")
@target_option
def command(revision: str, json_: bool, execute: bool, reason: str | None) -> None:
    """Revert what was applied after REVISION, as `alembic downgrade` does.

    In production the downgrade of a revision that loses data is rolled back, with a list of the
    losses, unless --execute and --reason are given.

    \b
    Examples:
      surefoot downgrade -1
      surefoot downgrade 0006 --execute --reason "0007 slows the listing down"
      surefoot downgrade base --json --target eu

    Exit codes: 0 reverted; 2 usage; 3 refused, and nothing was changed; 4 stopped part-way; 75 a
    retry is safe; 129, 130, 143 interrupted.
    """
    with output.error_as_line(json_):
        if execute and not reason:
            raise ReasonMissing
        report = told(
            lambda target, listen: upgrade.downgrade(
                target, revision, reason=reason if execute else None, listen=listen, signals=True
            ),
            json_=json_,
        )
    if json_:
        output.answer_line("report", report.as_json())
