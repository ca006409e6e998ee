"""`surefoot upgrade`: `alembic upgrade` with a JSON report, and overrides with a reason."""

from functools import partial
from pathlib import Path

import click

from surefoot.cli import output
from surefoot.cli.targets import ENV_PY, chosen, target_option
from surefoot.environment import fast_path
from surefoot.environment.environment import glimpse
from surefoot.errors import ReasonMissing
from surefoot.run.report import Report
from surefoot.wording import duration

WAIT_S = 300.0


@click.command(name="upgrade")
@click.argument("revision", default="head")
@output.events_option
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
    help=f"Wait {duration(WAIT_S)} for services to end whose code a contract revision breaks.",
)
@click.option(
    "--run-backfills",
    "fills",
    is_flag=True,
    help="Where a revision requires a backfill, run it and go on; for small installations.",
)
@target_option
def command(
    revision: str, json_: bool, execute: bool, reason: str | None, wait: bool, fills: bool
) -> None:
    """Apply what is pending up to REVISION, as `alembic upgrade` does; by default all.

    \b
    Examples:
      surefoot upgrade
      surefoot upgrade head --json --target eu
      surefoot upgrade --run-backfills
      surefoot upgrade 0012 --execute --reason "jobs.rank is unused since 0009"

    Exit codes: 0 applied, or nothing was pending; 2 usage; 3 refused, and nothing was changed; 4
    stopped part-way; 75 a retry is safe; 129, 130, 143 interrupted.
    """
    with output.error_as_line(json_):
        if execute and not reason:
            raise ReasonMissing
        # A first look writes no reason.
        report = None if execute else _of_first_look(revision)
        if report is None:
            kept = reason if execute else None
            report = _run(revision, kept, wait=wait, fills=fills, json_=json_)
    if json_:
        output.answer_line("report", report.as_json())


def _run(revision: str, reason: str | None, *, wait: bool, fills: bool, json_: bool) -> Report:
    from surefoot.cli.telling import told  # noqa: PLC0415 - a first look does without
    from surefoot.run import commands  # noqa: PLC0415 - Alembic and SQLAlchemy

    def upgrade(to: str) -> Report:
        return told(
            lambda target, listen: commands.upgrade(
                target,
                to,
                reason=reason,
                services_wait_s=WAIT_S if wait else None,
                listen=listen,
                signals=True,
            ),
            json_=json_,
        )

    if fills:
        from surefoot.cli.filling import upgrade_and_fill  # noqa: PLC0415 - rare

        return upgrade_and_fill(upgrade, revision, json_=json_)
    return upgrade(revision)


def _of_first_look(revision: str) -> Report | None:
    """The report where nothing is to be done; None where the run has to decide."""
    root = click.get_current_context().find_root()
    looks = isinstance(root.obj, Path) and revision in fast_path.HEADS
    found = glimpse(root.obj) if looks else None
    if isinstance(found, BaseException):
        root.meta[ENV_PY] = found
    if not isinstance(found, tuple) or found[0].engine is not None:
        return None
    environment, project = found
    return fast_path.at_head(
        project,
        partial(environment.resolved_database, chosen()),
        revision,
        output.narrate,
        may_squash=environment.may_squash,
    )
