"""Pause, resume and cancel a backfill, and look at it, from any terminal: the database has it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict
from typing import Any

from surefoot.backfill.checks import not_begun, pending
from surefoot.backfill.definition import Backfill
from surefoot.backfill.events import Listen
from surefoot.backfill.files import read_backfills
from surefoot.backfill.key import Place
from surefoot.backfill.record import changed_in_words, record
from surefoot.backfill.state import PAUSED, RUNNING, Progress, State
from surefoot.connect.database import Database
from surefoot.connect.failures import explained
from surefoot.errors import NotFound
from surefoot.errors.names import command
from surefoot.frozen import dataclass
from surefoot.project import Project

# So many rows that failed are shown.
_SHOWN = 20


@dataclass(frozen=True)
class Status:
    """A backfill of the project, and how far it is on a database."""

    backfill: Backfill
    # None where it has not begun.
    progress: Progress | None
    # The sessions at work on it.
    sessions: Sequence[str] = ()
    # The processes that run it; a session may have no work just now.
    processes: int = 0
    # Rows that failed: key, SQLSTATE, the words of the error.
    failures: Sequence[tuple[Place, str | None, str]] = ()
    # Whether the revision that it needs is not applied; it is looked at where nothing has begun.
    is_early: bool = False

    @property
    def state(self) -> str:
        """Its state in one word or two."""
        if self.progress is None:
            return "too early" if self.is_early else "not begun"
        idle = self.progress.state == RUNNING and not (self.sessions or self.processes)
        return "interrupted" if idle else self.progress.state

    @property
    def waits(self) -> str | None:
        """Why no batch begins just now; None where they do, or nobody is at work."""
        return self.progress.held if self.progress and self.state == RUNNING else None

    def as_json(self) -> dict[str, object]:
        """The same as one JSON object."""
        of = self.backfill
        found: dict[str, object] = {"name": of.name, "table": of.table, "after": of.after}
        found |= {"state": self.state, "sessions": [*self.sessions], "processes": self.processes}
        if self.progress is not None:
            times = {
                name: value and value.isoformat()
                for name in ("started_at", "finished_at")
                for value in [getattr(self.progress, name)]
            }
            found |= {**asdict(self.progress), **times, "state": self.state, "held": self.waits}
        named = ("key", "sqlstate", "error")
        found["failures"] = [dict(zip(named, each, strict=True)) for each in self.failures]
        return found


async def status(backfill: Backfill, database: Database, project: Project) -> Status:
    """How far a backfill is. On failure: the errors of the database."""
    async with _state(backfill, database, project) as state:
        return await _status(backfill, state, await pending(state.connection, project))


async def statuses(database: Database, project: Project) -> Sequence[Status]:
    """All backfills of the project, by name. On failure: BackfillInvalid; as `status`."""
    with explained(database.shown("observe")):
        connection = await database.connect("observe")
        try:
            table, found = project.version_table, read_backfills(project)
            left = await pending(connection, project)
            return [
                await _status(each, State(connection, table, each.name), left)
                for each in found.values()
            ]
        finally:
            await connection.close()


async def pause(
    backfill: Backfill,
    database: Database,
    project: Project,
    by: str,
    listen: Listen = lambda _: None,
) -> None:
    """Let no session begin another batch. On failure: NotFound, where it is not running."""
    async with _state(backfill, database, project, role="backfill") as state:
        progress = await _begun(state, backfill)
        # It may end at this moment.
        if progress.state != RUNNING or not await state.change(PAUSED, by):
            raise _nothing_to("pause", backfill, progress)
    said = f"paused by {by}: {changed_in_words(progress.changed)}"
    await record(backfill, database, project, said, listen)


async def resume(
    backfill: Backfill,
    database: Database,
    project: Project,
    parameters: Mapping[str, float | None],
    by: str,
    listen: Listen = lambda _: None,
) -> Status:
    """Let the sessions go on, with other parameters where some are given.

    On failure: NotFound, where it has not begun, or has ended.
    """
    async with _state(backfill, database, project, role="backfill") as state:
        progress = await _begun(state, backfill)
        if progress.state not in (PAUSED, RUNNING) or not await state.change(RUNNING, None):
            raise _nothing_to("resume", backfill, progress)
        await state.set_parameters(parameters)
        found = await _status(backfill, state)
    if progress.state == PAUSED:
        await record(backfill, database, project, f"resumed by {by}", listen)
    return found


async def cancel(
    backfill: Backfill,
    database: Database,
    project: Project,
    by: str,
    listen: Listen = lambda _: None,
) -> Progress:
    """Forget how far a backfill is; its sessions end, and rows that were changed stay so.

    On failure: NotFound, where it has not begun.
    """
    async with _state(backfill, database, project, role="backfill") as state:
        progress = await _begun(state, backfill)
        await state.delete()
    said = f"cancelled by {by}: {changed_in_words(progress.changed)}"
    await record(backfill, database, project, said, listen)
    return progress


@asynccontextmanager
async def _state(
    backfill: Backfill, database: Database, project: Project, role: Any = "observe"
) -> AsyncIterator[State]:
    with explained(database.shown(role)):
        connection = await database.connect(role)
        try:
            yield State(connection, project.version_table, backfill.name)
        finally:
            await connection.close()


async def _status(backfill: Backfill, state: State, left: Collection[str] = ()) -> Status:
    """How far it is; `left` are the revisions that are not applied."""
    if not await state.exists() or (progress := await state.read()) is None:
        return Status(backfill, None, is_early=backfill.after in left)
    failures = await state.failures(_SHOWN)
    return Status(backfill, progress, *await state.ranges.sessions(), failures)


async def _begun(state: State, backfill: Backfill) -> Progress:
    """How far it is. On failure: NotFound, where it has not begun."""
    if await state.exists() and (progress := await state.read()) is not None:
        return progress
    raise not_begun(backfill)


def _nothing_to(verb: str, backfill: Backfill, progress: Progress) -> NotFound:
    state = "not running any more" if progress.state == RUNNING else progress.state
    return NotFound(
        f"{backfill.name} is {state}, so there is nothing to {verb}",
        help=f"`{command()} backfill status {backfill.name}` shows it",
    )
