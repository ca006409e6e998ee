"""Verification runs all checks of one database.

    files     they form a chain, and revisions.lock matches them
    ledger    its hashes are intact, and the files match the applied revisions
    startup   a service of this build would start
    drift     the schema and the models match the revisions

It is meant for cron jobs and CI: a failed check does not prevent the others. A condition that
prevents all of them, such as an unreachable database, raises its own error.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from surefoot.chain.backfills import check_backfills
from surefoot.chain.lockfile import check_lock, check_seals
from surefoot.chain.revisions import heads
from surefoot.chain.squashed import checked
from surefoot.connect.database import Database
from surefoot.connect.failures import explained
from surefoot.differences.detection import drift
from surefoot.differences.model import Drift
from surefoot.errors import (
    CheckFailed,
    DatabaseDrifted,
    ModelsNotCreatable,
    ModelsNotImportable,
    Refused,
    RevisionsBroken,
    RunFailed,
    SurefootError,
)
from surefoot.ledger.glance import heads_of
from surefoot.ledger.integrity import check_integrity
from surefoot.ledger.table import Ledger, applied, unfinished, was_used
from surefoot.project import Project
from surefoot.startup import check as startup
from surefoot.wording import counted

_SAYS_NO = (
    *(CheckFailed, Refused, RevisionsBroken, RunFailed),
    *(ModelsNotCreatable, ModelsNotImportable),
)


@dataclass(frozen=True)
class Answer:
    """The result of one check: a fact, or an error."""

    question: str
    fact: str = ""
    error: SurefootError | None = None

    def as_json(self) -> Mapping[str, Any]:
        return {
            "check": self.question,
            "ok": self.error is None,
            "fact": self.fact or None,
            "error": self.error.as_json() if self.error else None,
        }


@dataclass(frozen=True)
class Verification:
    """The results of all checks of one database."""

    database: str
    answers: tuple[Answer, ...]
    drift: Drift | None = None

    @property
    def refusals(self) -> tuple[Answer, ...]:
        return tuple(answer for answer in self.answers if answer.error is not None)

    def as_json(self) -> Mapping[str, Any]:
        return {
            "schema_version": 1,
            "database": self.database,
            "ok": not self.refusals,
            "checks": [answer.as_json() for answer in self.answers],
            "drift": self.drift.as_json() if self.drift else None,
        }


async def verify(project: Project, database: Database, *, privileges: bool = False) -> Verification:
    """Run all checks of the database; a role that may read is enough.

    On failure: the errors of connecting; a failed check is one of the `refusals`.

    Example:
        verification = await verify(project, database)
        print([answer.question for answer in verification.refusals])
    """
    engine = database.engine("observe")
    found: list[Drift] = []

    async def files() -> str:
        revisions = project.revisions()
        check_lock(project.lock, revisions)
        check_backfills(project.lock)
        check_seals(project.lock, revisions)
        at = sorted(heads(revisions))
        newest = "one head" if len(at) == 1 else f"heads {', '.join(at)}" if at else "no head"
        told = f"{counted(len(revisions), 'revision')}, {newest}, {project.lock.name} is up to date"
        return ", ".join(filter(None, (told, checked(project.squashed, revisions))))

    async def ledger() -> str:
        with explained(engine.url):
            async with engine.connect() as connection:
                return await connection.run_sync(_ledger, project)

    async def started() -> str:
        verdict = await startup.check(engine, project.build())
        if verdict.error is not None:
            raise verdict.error
        return f"a service of this build would start: {verdict}"

    async def schema() -> str:
        seen = await drift(project, database, privileges=privileges)
        found.append(seen)
        if seen.count:
            models = len(seen.models or ())
            raise DatabaseDrifted(seen.database, seen.revision, len(seen.deviations), models)
        also = "" if seen.models is None else ", and so do the models"
        return f"the schema matches the revisions up to {seen.revision}{also}"

    questions = {"files": files, "ledger": ledger, "startup": started, "drift": schema}
    try:
        answers = [await _ask(name, question) for name, question in questions.items()]
    finally:
        await engine.dispose()
    name = engine.url.database or "(default)"
    return Verification(name, tuple(answers), found[0] if found else None)


async def _ask(name: str, question: Callable[[], Awaitable[str]]) -> Answer:
    try:
        return Answer(name, fact=await question())
    except _SAYS_NO as error:
        return Answer(name, error=error)


def _ledger(connection: Connection, project: Project) -> str:
    ledger, found = Ledger(project.version_table), heads_of(connection, project.version_table)
    if not ledger.exists(connection):
        return (
            "the table was dropped, with the record of all runs"
            if ledger.was_dropped(connection)
            else "no ledger yet"
        )
    ledger.verify(connection)
    rows = ledger.read(connection)
    check_integrity(project.revisions(), found, applied(rows))
    if found and not was_used(rows):
        return f"it has no row of the revisions up to {', '.join(found)}: their record is lost"
    began = unfinished(rows)
    left = f"; a step of {began.revision} is unfinished" if began else ""
    valid = "all hashes are valid, and the files match the applied revisions"
    return f"{counted(len(rows), 'row')}, {valid}{left}"
