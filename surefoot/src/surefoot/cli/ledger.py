"""`surefoot ledger`: print the ledger."""

from collections.abc import Sequence
from dataclasses import asdict

import click
from sqlalchemy import Connection

from surefoot.cli import output
from surefoot.cli.project import json_option, on_target, project
from surefoot.cli.targets import target_option
from surefoot.errors import LedgerEdited
from surefoot.ledger.glance import heads_of
from surefoot.ledger.table import BACKFILL, Ledger, Row
from surefoot.target import Target
from surefoot.wording import counted, duration

# More than any ledger has.
_ALL = 2**62
_HEADER = ("ID", "WHEN (UTC)", "OUTCOME", "DIRECTION", "REVISION", "TOOK", "BY")


@click.command(name="ledger")
@json_option
@click.option(
    "--last", metavar="ROWS", type=click.IntRange(min=1), help="Only so many of the newest rows."
)
@target_option
def command(json_: bool, last: int | None) -> None:
    """Print the runs on the database, oldest first, and verify the hash of each row.

    \b
    Examples:
      surefoot ledger
      surefoot ledger --last 5 --target eu
      surefoot ledger --json

    Exit codes: 0 all hashes are valid; 3 a row was changed; 75 the database does not answer.
    """
    name, rows, edited = on_target(_read)
    shown = rows[-last:] if last else rows
    if json_:
        listed = [asdict(row) for row in shown]
        told = edited and edited.as_json()
        output.answer_json({"schema_version": 1, "database": name, "rows": listed, "edited": told})
    else:
        _answer(shown)
    if edited is not None:
        raise edited
    if not json_:
        output.narrate(
            f"{counted(len(rows), 'row')} of {name}, all hashes are valid"
            if rows
            else f"{name} has no ledger, or an empty one"
        )


def _answer(shown: Sequence[Row]) -> None:
    cells = [_HEADER, *map(_cells, shown)] if shown else []
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    if shown:
        output.answer(_line(_HEADER, widths))
    for row in shown:
        output.answer(_line(_cells(row), widths))
        said = "error" if row.outcome in ("failed", BACKFILL) else "note"
        why = "about" if row.outcome == BACKFILL else "reason"
        for label, told in ((why, row.reason), (said, row.error)):
            if told:
                output.answer(f"        {label}: {told.splitlines()[0]}")


def _cells(row: Row) -> tuple[str, ...]:
    when = f"{row.finished_at:%Y-%m-%d %H:%M}" if row.finished_at else ""
    took = "-" if row.outcome == "adopted" else duration(row.duration_s)  # nothing ran
    done = (row.outcome, row.direction, row.revision, took)
    if row.outcome == BACKFILL:  # it tells of a moment
        done = (row.outcome, "-", row.revision, "-")
    return (str(row.id), when, *done, row.person)


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    number, *texts = (cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
    return "  ".join([number.strip().rjust(widths[0]), *texts]).rstrip()


async def _read(target: Target) -> tuple[str, Sequence[Row], LedgerEdited | None]:
    async with target.engine.connect() as connection:
        return target.name, *await connection.run_sync(_rows)


def _rows(connection: Connection) -> tuple[Sequence[Row], LedgerEdited | None]:
    """The rows, also where one was changed. On failure: as `heads_of`, where there is no ledger."""
    table, edited = project().version_table, None
    ledger = Ledger(table)
    if not ledger.exists(connection):
        heads_of(connection, table)
        return (), None
    try:
        ledger.verify(connection)
    except LedgerEdited as error:
        edited = error
    return ledger.read(connection, details=_ALL), edited
