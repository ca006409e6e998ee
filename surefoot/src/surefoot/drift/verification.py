"""Verification is every question of proof asked of one database, and all the answers.

    files     one head, and revisions.lock is what the files give
    ledger    nobody edited it, and what was applied is what the files say
    startup   a service of this build would start
    drift     the schema is what the revisions give, and so are the models

For a cron job and for CI: a no to one question does not keep the others from being asked. What
keeps all of them from being asked (a database that does not answer) is an error of its own.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import AsyncEngine

from surefoot.chain.lockfile import check_lock
from surefoot.chain.revisions import one_head, read_revisions
from surefoot.chain.version_table import VersionTable
from surefoot.connect.failures import explained
from surefoot.drift import Drift
from surefoot.errors import (
    CheckFailed,
    DatabaseDrifted,
    Refused,
    RevisionsBroken,
    RunFailed,
    SurefootError,
)
from surefoot.ledger.glance import heads_of
from surefoot.ledger.integrity import check_integrity
from surefoot.ledger.table import Ledger, applied, unfinished
from surefoot.startup import check as startup

_SAYS_NO = (CheckFailed, Refused, RevisionsBroken, RunFailed)


@dataclass(frozen=True)
class Answer:
    """What one question came to: a fact, or the error that says no."""

    question: str
    fact: str = ""
    error: SurefootError | None = None

    def as_json(self) -> Mapping[str, Any]:
        """The answer as one JSON object."""
        return {
            "check": self.question,
            "ok": self.error is None,
            "fact": self.fact or None,
            "error": self.error.as_json() if self.error else None,
        }


@dataclass(frozen=True)
class Verification:
    """All answers about one database."""

    database: str
    answers: tuple[Answer, ...]
    drift: Drift | None = None

    @property
    def refusals(self) -> tuple[Answer, ...]:
        """The answers that say no."""
        return tuple(answer for answer in self.answers if answer.error is not None)

    def as_json(self) -> Mapping[str, Any]:
        """The verification as one JSON object."""
        return {
            "schema_version": 1,
            "database": self.database,
            "ok": not self.refusals,
            "checks": [answer.as_json() for answer in self.answers],
            "drift": self.drift.as_json() if self.drift else None,
        }


async def verify(
    engine: AsyncEngine,
    lock_path: Path,
    look_for_drift: Callable[[], Awaitable[Drift]],
    version_table: VersionTable = VersionTable(),
) -> Verification:
    """Ask everything; a role that may read is enough.

    On failure: what connecting can meet, and what `look_for_drift` can beside a no.
    """
    found: list[Drift] = []

    async def files() -> str:
        revisions = read_revisions(lock_path.parent / "versions")
        one_head(revisions)
        check_lock(lock_path, revisions)
        return f"{len(revisions)} revisions, one head, {lock_path.name} is fresh"

    async def ledger() -> str:
        with explained(engine.url):
            async with engine.connect() as connection:
                return await connection.run_sync(_ledger, lock_path, version_table)

    async def started() -> str:
        verdict = await startup.check(engine, startup.Build.read(lock_path, version_table))
        if verdict.error is not None:
            raise verdict.error
        return f"a service of this build starts: {verdict}"

    async def drift() -> str:
        seen = await look_for_drift()
        found.append(seen)
        if seen.count:
            models = len(seen.models or ())
            raise DatabaseDrifted(seen.database, seen.revision, len(seen.deviations), models)
        also = "" if seen.models is None else ", and so are the models"
        return f"the schema is what the revisions up to {seen.revision} give{also}"

    questions = {"files": files, "ledger": ledger, "startup": started, "drift": drift}
    answers = [await _ask(name, question) for name, question in questions.items()]
    name = engine.url.database or "(default)"
    return Verification(name, tuple(answers), found[0] if found else None)


async def _ask(name: str, question: Callable[[], Awaitable[str]]) -> Answer:
    try:
        return Answer(name, fact=await question())
    except _SAYS_NO as error:
        return Answer(name, error=error)


def _ledger(connection: Connection, lock_path: Path, version_table: VersionTable) -> str:
    ledger = Ledger(version_table)
    if not ledger.exists(connection):
        return "there is none yet"
    ledger.verify(connection)
    rows = ledger.read(connection)
    revisions = read_revisions(lock_path.parent / "versions")
    check_integrity(revisions, heads_of(connection, version_table), applied(rows))
    began = unfinished(rows)
    left = f"; a step of {began.revision} began and did not end" if began else ""
    return f"{len(rows)} rows, every hash fits, and the files are what was applied{left}"
