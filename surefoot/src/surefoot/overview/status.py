"""status() says in words where a database is: a state, what is waited for, the next command. Pure.

Only what was looked at is said to be so; the rest is listed with the reason.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from shlex import quote
from typing import Literal

from surefoot.chain.revisions import Revision
from surefoot.errors import names
from surefoot.frozen import dataclass
from surefoot.overview.model import (
    Holds,
    IntegrityCheck,
    Overview,
    RunningMigration,
    ShownBackfill,
    Unread,
)
from surefoot.wording import counted, duration

Word = Literal[
    "ok",
    "drift",
    "pending",
    "running",
    "failed",
    "empty",
    "not-adopted",
    "never-migrated",
    "ahead",
    "diverged",
]

# By whether the database has the schema of no revision at all: an empty one.
_NEVER: Mapping[Holds, Word] = {"yes": "empty", "no": "not-adopted", "unknown": "never-migrated"}


@dataclass(frozen=True)
class Status:
    """Where a database is, as an overview has it, in words for a terminal."""

    seen: Overview
    word: Word
    # The rest of the headline.
    summary: str
    # A pending revision and what it waits for, each in one sentence.
    waits: tuple[str, ...]
    # The parts that were not looked at, with the reason.
    not_looked_at: Mapping[str, str]
    # The command that helps next, or the advice where no single one does.
    next: str

    @property
    def is_current(self) -> bool:
        """Whether nothing is pending, and this build works with the database."""
        return self.seen.headline.is_ready or not self.seen.chain

    def as_json(self) -> dict[str, object]:
        """The overview as the page has it, and the same words."""
        return {
            **asdict(self.seen),
            "state": self.word,
            "summary": self.summary,
            "waits": self.waits,
            "not_looked_at": dict(self.not_looked_at),
            "next": self.next,
        }


def status(seen: Overview, revisions: Sequence[Revision], command: str) -> Status:
    """The status of a database by its overview; `revisions` know which backfills they require.

    `command` is the library's command as the user types it.
    """
    word = _word(seen)
    # A database with nothing in it has no rows to change, and no service.
    waits = () if word == "empty" else tuple(_waits(seen, revisions, command))
    summary = ", ".join([_summary(seen, word), *_beside(seen, word)])
    unseen = dict(_not_looked_at(seen))
    return Status(seen, word, summary, waits, unseen, _next(seen, word, revisions, command))


def _word(seen: Overview) -> Word:
    state = seen.headline.state
    schema = _schema(seen).holds
    if state == "diverged":
        return "diverged"
    if isinstance(seen.happening, RunningMigration):
        return "running"
    if any(link.state == "failed" for link in seen.chain):
        return "failed"
    if state == "ahead":
        return "ahead"
    if state == "never-migrated":
        return _NEVER[schema]
    if seen.pending:
        return "pending"
    return "drift" if schema == "no" else "ok"


def _summary(seen: Overview, word: Word) -> str:
    total = sum(link.known for link in seen.chain)
    left = f"{len(seen.pending)} of {counted(total, 'revision')} pending"
    match word:
        case "diverged" | "ahead":
            return seen.headline.summary
        case "running":
            assert isinstance(seen.happening, RunningMigration)
            running = seen.happening.revision
            return f"{running} is at work, {left}" if running else f"a run is at work, {left}"
        case "failed":
            failed = [link.id for link in seen.chain if link.state == "failed"]
            return f"{', '.join(failed)} failed, {left}"
        case "empty" | "ok" if not total:
            return "the project has no revision yet"
        case "empty":
            return f"nothing is in it, {left}"
        case "not-adopted":
            return f"it has objects, and no record of a revision; {left}"
        case "never-migrated" | "pending":
            return left
    return f"at {names.goal((seen.current or '').split(', '))} {seen.current}"


def _beside(seen: Overview, word: Word) -> Iterator[str]:
    """Backfills that are not complete, and drift, each only where it was looked at."""
    shown = () if isinstance(seen.backfills, Unread) else seen.backfills
    for state, number in Counter(each.state for each in shown).items():
        if state != "complete":
            yield f"{counted(number, 'backfill')} {state}"
    schema = _schema(seen).holds
    if schema != "unknown" and word not in ("empty", "not-adopted"):
        yield "no drift" if schema == "yes" else "drift"


def _waits(seen: Overview, revisions: Sequence[Revision], command: str) -> Iterator[str]:
    pending = {link.id for link in seen.pending}
    for revision in revisions:
        for name in revision.requires_backfill if revision.id in pending else ():
            if (why := _until(seen, name, command)) is not None:
                yield f"{revision.id} {why}"
    for service in () if isinstance(seen.services, Unread) else seen.services:
        for revision_id in service.older_than:
            yield (
                f"{revision_id} until {service.application} has ended, whose code is of "
                f"{service.revision}"
            )


def _until(seen: Overview, name: str, command: str) -> str | None:
    """The rest of a sentence about a revision that requires it; None where it is complete."""
    if isinstance(seen.backfills, Unread):
        return f"requires the backfill {name}, whose state was not looked at"
    found = next((each for each in seen.backfills if each.name == name), None)
    if found is None:
        run = f"{command} backfill run {quote(name)} --execute"
        return f"for the backfill {name}, where rows lack its change: {run}"
    return None if found.state == "complete" else f"until the backfill {name} {_end(found)}"


def _end(backfill: ShownBackfill) -> str:
    left = backfill.left_s
    if backfill.state == "running" and left is not None:
        return f"ends; about {duration(left)} of its lap {backfill.lap} left"
    if backfill.state == "running":
        return f"ends{f'; it waits: {backfill.waits}' if backfill.waits else ''}"
    return f"is complete; it is {backfill.state}: {backfill.command}"


def _parts(seen: Overview) -> Mapping[str, object]:
    return {
        "ledger": seen.history,
        "runs": seen.happening,
        "backfills": seen.backfills,
        "services": seen.services,
    }


def _not_looked_at(seen: Overview) -> Iterator[tuple[str, str]]:
    for name, part in _parts(seen).items():
        if isinstance(part, Unread):
            yield name, part.unread
    if (schema := _schema(seen)).holds == "unknown":
        yield "drift", schema.text


def _next(seen: Overview, word: Word, revisions: Sequence[Revision], command: str) -> str:
    upgrade = f"{names.alembic()} upgrade {names.goal(_newest(seen))}"
    match word:
        case "empty" | "ok" if not seen.chain:
            return 'alembic revision --autogenerate -m "…"'
        case "ok" | "ahead" if seen.headline.help is None:
            unread = any(isinstance(part, Unread) for part in _parts(seen).values())
            return "nothing to do, by what was looked at" if unread else "nothing to do"
        case "diverged" | "ahead":
            return seen.headline.help or ""
        case "running":
            return f"{command} status, once it has ended"
        case "drift":
            return f"{command} drift"
        case "not-adopted":
            return f"{command} ops adopt REV --reason …"
        case "failed" | "empty":
            return upgrade
    first = (each for each in revisions if seen.pending and each.id == seen.pending[0].id)
    required = {name for each in first for name in each.requires_backfill}
    shown = () if isinstance(seen.backfills, Unread) else seen.backfills
    states = {each.name: each.state for each in shown}
    for name in sorted(required):
        if name not in states and not isinstance(seen.backfills, Unread):
            return f"{command} backfill run {quote(name)} --execute"
        if states.get(name, "complete") != "complete":
            return f"{command} backfill status {quote(name)}"
    return f"{command} plan"


def _schema(seen: Overview) -> IntegrityCheck:
    """Whether the database has the schema that its revisions give."""
    return next(fact for fact in seen.facts if fact.name == "Schema")


def _newest(seen: Overview) -> Sequence[str]:
    return seen.expected.split(", ")
