"""`surefoot upgrade`: `alembic upgrade` with a JSON report, and overrides with a reason."""

import click

from surefoot.cli import output
from surefoot.cli.project import on_target
from surefoot.errors import ReasonMissing
from surefoot.run import commands as upgrade

WAIT_S = 300.0


@click.command(name="upgrade")
@click.argument("revision", default="head")
@click.option("--json", "json_", is_flag=True, help="Print the report as one JSON object.")
@click.option(
    "--execute",
    is_flag=True,
    help="In production: also where data is lost, or a running service would break.",
)
@click.option("--reason", help="Why; the ledger keeps it.")
@click.option(
    "--wait-for-services",
    "wait",
    is_flag=True,
    help=f"Wait {WAIT_S:g} s for services to end whose code a contract revision breaks.",
)
def command(revision: str, json_: bool, execute: bool, reason: str | None, wait: bool) -> None:
    """Apply what is pending up to REVISION, as `alembic upgrade` does.

    \b
    Examples:
      surefoot upgrade
      surefoot upgrade head --json
      surefoot upgrade 0012 --execute --reason "jobs.rank is unused since 0009"
    """
    if execute and not reason:
        raise ReasonMissing
    report = on_target(
        lambda target: upgrade.upgrade(
            target,
            revision,
            reason=reason if execute else None,
            services_wait_s=WAIT_S if wait else None,
            listen=output.tell,
            signals=True,
        )
    )
    if json_:
        output.answer_json(report.as_json())
