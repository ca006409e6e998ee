"""`surefoot backfill`: change the rows of large tables beside the service."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import asdict
from functools import partial
from typing import Any, TypeVar

import click

from surefoot.backfill import control
from surefoot.backfill.definition import Backfill
from surefoot.backfill.events import Event, Listen
from surefoot.backfill.files import named
from surefoot.backfill.plan import plan as planned
from surefoot.backfill.run import Result
from surefoot.backfill.run import run as run_backfill
from surefoot.cli import backfill_text as text
from surefoot.cli import output
from surefoot.cli.backfill_options import bounds, name_argument, workers_option
from surefoot.cli.project import json_option, project, serving
from surefoot.cli.suggesting import Group
from surefoot.cli.targets import target_option
from surefoot.connect.database import Database
from surefoot.errors import Interrupted
from surefoot.errors.names import command as program
from surefoot.ledger.writer import who
from surefoot.project import Project
from surefoot.run.interruption import stop_signals
from surefoot.wording import counted

T = TypeVar("T")


_TELL = text.Narration(output.narrate)


@click.group(cls=Group, name="backfill")
def command() -> None:
    """Change the rows of large tables in batches, beside the service.

    A backfill is a class in the folder `backfills` beside the revisions. Its state is in the
    database: a run that was killed goes on where its last batch committed, and the same command on
    other machines shares the work.

    \b
    Examples:
      surefoot backfill list
      surefoot backfill plan jobs_priority
      surefoot backfill run jobs_priority --execute --workers 2
    """


@command.command("list")
@json_option
@target_option
def list_(json_: bool) -> None:
    """List the backfills of the project, and how far each is.

    \b
    Examples:
      surefoot backfill list
      surefoot backfill list --target eu --json
    """
    with serving() as database:
        found = asyncio.run(control.statuses(database, project()))
    if json_:
        listed = [each.as_json() for each in found]
        output.answer_json({"schema_version": 1, "backfills": listed})
        return
    for line in text.table(found):
        output.answer(line)
    output.narrate(text.next_of(found))


@command.command()
@name_argument
@json_option
@target_option
def plan(name: str, json_: bool) -> None:
    """Show the rows to do, the batches, and the plan of the first one.

    Nothing is changed.

    \b
    Examples:
      surefoot backfill plan jobs_priority
      surefoot backfill plan jobs_priority --target eu --json

    Exit codes: 0 it can run; 1 each batch would read all of a large table.
    """
    _forecast(name, json_=json_, dry_run=False)


@command.command()
@name_argument
@click.option("--execute", is_flag=True, help="Do it; without this one batch is rolled back.")
@workers_option
@bounds
@output.events_option
@target_option
def run(
    name: str,
    execute: bool,
    workers: int,
    max_rows_per_second: float | None,
    batch_seconds: float | None,
    json_: bool,
) -> None:
    """Change the rows that lack the change, or go on with it.

    Without --execute it is a dry run: one batch, rolled back, with its plan and its time.

    \b
    Examples:
      surefoot backfill run jobs_priority
      surefoot backfill run jobs_priority --execute --workers 4 --max-rows-per-second 5000

    Exit codes: 0 complete, or cancelled meanwhile; 2 usage; 3 refused, and nothing was changed; 4
    rows failed, or its SQL cannot work; 75 a retry is safe; 129, 130, 143 interrupted. The same
    command goes on after each. Of a dry run: 0 it can run; 1 each batch would read all of a large
    table.
    """
    if not execute:
        _forecast(name, json_=json_, dry_run=True)
        return
    given = _given(max_rows_per_second, batch_seconds)
    run_to_end(name, json_=json_, workers=workers, parameters=given)


@command.command("retry-failed")
@name_argument
@click.option("--execute", is_flag=True, help="Do it; without this the rows are shown.")
@workers_option
@output.events_option
@target_option
def retry_failed(name: str, execute: bool, workers: int, json_: bool) -> None:
    """Try the rows again that could not be changed.

    \b
    Examples:
      surefoot backfill retry-failed jobs_priority
      surefoot backfill retry-failed jobs_priority --execute

    Exit codes: 0 shown; with --execute those of `surefoot backfill run`.
    """
    if execute:
        run_to_end(name, json_=json_, workers=workers, retry_failed=True)
    else:
        _show(name, json_=json_)


@command.command()
@name_argument
@target_option
def pause(name: str) -> None:
    """Let no session begin another batch, on whichever machine it is.

    \b
    Examples:
      surefoot backfill pause jobs_priority
      surefoot backfill pause jobs_priority --target eu
    """
    _ask(name, partial(control.pause, by=who(), listen=_TELL))
    output.narrate(f"OK  {name} is paused. Next: {program()} backfill resume {name}")


@command.command()
@name_argument
@bounds
@target_option
def resume(name: str, max_rows_per_second: float | None, batch_seconds: float | None) -> None:
    """Let a paused backfill go on; options change a running one too.

    \b
    Examples:
      surefoot backfill resume jobs_priority
      surefoot backfill resume jobs_priority --max-rows-per-second 2000
    """
    given = _given(max_rows_per_second, batch_seconds)
    found = _ask(name, partial(control.resume, parameters=given, by=who(), listen=_TELL))
    at_work = len(found.sessions)
    output.narrate(f"OK  {name} is to go on; sessions at work: {at_work}")
    if not (at_work or found.processes):
        output.narrate(f"Next: {program()} backfill run {name} --execute")


@command.command()
@name_argument
@json_option
@target_option
def status(name: str, json_: bool) -> None:
    """Show how far a backfill is, who is at work, and the rows that failed.

    \b
    Examples:
      surefoot backfill status jobs_priority
      surefoot backfill status jobs_priority --json
    """
    _show(name, json_=json_)


@command.command()
@name_argument
@click.option("--execute", is_flag=True, help="Do it; without this its state is shown.")
@target_option
def cancel(name: str, execute: bool) -> None:
    """Forget how far a backfill is: its sessions end, and rows that were changed stay so.

    \b
    Examples:
      surefoot backfill cancel jobs_priority
      surefoot backfill cancel jobs_priority --execute
    """
    if not execute:
        _show(name, json_=False, cancels=True)
        return
    found = _ask(name, partial(control.cancel, by=who(), listen=_TELL))
    output.narrate(f"OK  {name} is forgotten; it had changed {counted(found.changed, 'row')}")


def _show(name: str, *, json_: bool, cancels: bool = False) -> None:
    found = _ask(name, control.status)
    output.answer_as(json_, found, lambda: "\n".join(text.status(found, cancels=cancels)))


def _forecast(name: str, *, json_: bool, dry_run: bool) -> None:
    """Answer with what it has to do; exit 1, where each batch would read a large table."""
    found = _ask(name, partial(planned, dry_run=dry_run))
    output.answer_as(json_, found, lambda: "\n".join(text.forecast(found)))
    if found.scans:
        raise SystemExit(1)


def _ask(
    name: str,
    function: Callable[[Backfill, Database, Project], Coroutine[Any, Any, T]],
) -> T:
    """The result of a function for the backfill of that name. On failure: as the function."""
    of = project()
    backfill = named(of, name)
    with serving() as database:
        return asyncio.run(function(backfill, database, of))


def run_to_end(name: str, *, json_: bool, **options: Any) -> None:
    """Run a backfill until it has ended, or a signal stops it. On failure: as `run`."""
    with output.error_as_line(json_):
        with text.telling(output.narrate) as tell:

            def listen(event: Event) -> None:
                if json_:
                    output.answer_line(output.event_name(event), asdict(event))
                tell(event)

            function = partial(_until_signal, listen=listen, options=options)
            result, by = _ask(name, function)
        if json_:
            progress = result.progress and asdict(result.progress)
            done = {"complete": result.is_complete, "changed": result.changed}
            output.answer_line("done", {**done, "progress": progress})
        if by is not None and not result.is_complete:
            raise Interrupted(by, [f"{counted(result.changed, 'row')} of {name}"])
    output.narrate(text.ended(name, result))


async def _until_signal(
    backfill: Backfill, database: Database, of: Project, listen: Listen, options: Mapping[str, Any]
) -> tuple[Result, int | None]:
    """Run it; the first signal lets the batches at hand end, the second one breaks them off."""
    stop, loop, got = asyncio.Event(), asyncio.get_running_loop(), list[int]()
    task = asyncio.ensure_future(
        run_backfill(backfill, database, of, listen=listen, stop=stop, **options)
    )

    def ask(number: int) -> None:
        got.append(number)
        stop.set()
        if len(got) > 1:
            task.cancel()
        else:
            output.narrate("  the batches at hand end; a second signal breaks them off")

    signals = stop_signals()
    for each in signals:
        loop.add_signal_handler(each, ask, each)
    try:
        return await task, got[0] if got else None
    except asyncio.CancelledError:
        raise Interrupted(got[0] if got else None, None) from None
    finally:
        for each in signals:
            loop.remove_signal_handler(each)


def _given(max_rows_per_second: float | None, batch_seconds: float | None) -> dict[str, float]:
    given = {"max_rows_per_second": max_rows_per_second, "batch_s": batch_seconds}
    return {name: value for name, value in given.items() if value is not None}
