"""The start-up check: does the database have what this build's code works with?

    Build (revisions.lock)  x  Glance (revision table, ledger)  ->  Verdict

    current         serves
    ahead           serves, where all that this build does not know only expanded, or tolerates it
    behind          not; what is pending is listed
    never-migrated  not
    diverged        not: an edited or inserted revision, one that nobody knows, two heads
    unreachable     not: down, refused, locked, silent

Sets are compared, never one row. At head it is one statement, which only reads, takes no lock that
anybody waits for and writes nothing. Neither Alembic nor a revision file is imported.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import anyio
from sqlalchemy import URL, Connection
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from surefoot.chain.lockfile import from_line, lock_lines, predecessors
from surefoot.chain.revisions import Revision, ancestors, heads, one_head
from surefoot.chain.version_table import VersionTable
from surefoot.connect.failures import DATABASE_ERRORS, UNDEFINED_TABLE, address, explain, sqlstate
from surefoot.errors import (
    DatabaseAhead,
    DatabaseBehind,
    DatabaseDiverged,
    DatabaseUnreachable,
    NeverMigrated,
    Refused,
    SurefootError,
)
from surefoot.errors.names import command
from surefoot.ledger import integrity as plan
from surefoot.ledger.glance import Glance, digest, glance, heads_of
from surefoot.ledger.integrity import Stranger
from surefoot.ledger.table import Ledger, applied

State = Literal["current", "ahead", "behind", "never-migrated", "diverged", "unreachable"]

# To close a connection that hangs takes up to two seconds more; a probe's patience is about five.
TIMEOUT_S = 2.0
_LOST = "deploy the build that has it, or restore the database that belongs to this one"
_BRANCHED = "two builds that do not know each other migrated it: deploy one that has both revisions"


@dataclass(frozen=True)
class Build:
    """What a build knows; a service at head never asks for the revisions themselves."""

    heads: frozenset[str]
    # What the ledger's digest is where all of them were applied as they are.
    digest: str
    _revisions: Callable[[], Sequence[Revision]] = field(repr=False)
    version_table: VersionTable = VersionTable()

    @cached_property
    def revisions(self) -> Sequence[Revision]:
        """Each after those that it builds on."""
        return self._revisions()

    @classmethod
    def of(
        cls, revisions: Sequence[Revision], version_table: VersionTable = VersionTable()
    ) -> Build:
        """The build that has these revisions."""
        applied = digest((r.id, r.sha256) for r in revisions)
        return cls(heads(revisions), applied, lambda: revisions, version_table)

    @classmethod
    def read(cls, lock_path: Path, version_table: VersionTable = VersionTable()) -> Build:
        """The build by its revisions.lock. On failure: RevisionsBroken."""
        lines = lock_lines(lock_path)
        # As one text: a chain of thousands is read at every start.
        below = predecessors("+".join(line[1] for line in lines))
        build = cls(
            frozenset(line[0] for line in lines).difference(below),
            digest((line[0], line[4]) for line in lines),
            lambda: tuple(map(from_line, lines)),
            version_table,
        )
        if len(build.heads) > 1:
            one_head(build.revisions)
        return build

    @property
    def newest(self) -> str:
        """Its newest revision, for people."""
        return ", ".join(sorted(self.heads)) or "base"


@dataclass(frozen=True)
class Verdict:
    """What the check found, and why this build does not serve: None where it does."""

    state: State
    database: str
    current: str | None
    expected: str
    error: SurefootError | None = None
    pending: tuple[str, ...] = ()
    # What is in the database and not in this build.
    ahead: tuple[Stranger, ...] = ()

    def __str__(self) -> str:
        if self.error is not None:
            return self.error.message
        if self.ahead:
            told = ", ".join(str(stranger) for stranger in self.ahead)
            return f"database {self.database!r} is ahead of {self.expected}: {told}"
        return f"database {self.database!r} is at head {self.current}"


async def check(engine: AsyncEngine, build: Build, *, timeout_s: float = TIMEOUT_S) -> Verdict:
    """Compare the database with the build; whatever the database does, within about `timeout_s`."""
    try:
        with anyio.fail_after(timeout_s):
            async with autocommitting(engine).connect() as connection:
                return await look(connection, build)
    except DATABASE_ERRORS as error:
        return unreachable(engine.url, build, error, timeout_s=timeout_s)


def autocommitting(engine: AsyncEngine) -> AsyncEngine:
    """The engine without BEGIN and ROLLBACK, which are round trips."""
    return engine.execution_options(isolation_level="AUTOCOMMIT")


async def look(connection: AsyncConnection, build: Build) -> Verdict:
    """Compare the connection's database with the build. On failure: DATABASE_ERRORS."""
    found = await connection.run_sync(_glance, build)
    return decide(connection.engine.url.database or "(default)", build, found)


def unreachable(
    url: URL, build: Build, error: Exception, *, timeout_s: float = TIMEOUT_S
) -> Verdict:
    """What an error of the database says. It is raised where that is nothing that we know."""
    database = url.database or "(default)"
    meant: SurefootError | None
    if isinstance(error, TimeoutError):
        silence = f"no answer within {timeout_s:g} s"
        meant = DatabaseUnreachable(database, address(url), silence)
    else:
        meant = explain(error, url)
    if meant is None:
        raise error
    return Verdict("unreachable", database, None, build.newest, meant)


def decide(database: str, build: Build, found: Glance) -> Verdict:
    """The verdict, from what the build and the database name."""
    current = ", ".join(sorted(found.heads)) or None

    def verdict(state: State, error: SurefootError | None = None, **more: Any) -> Verdict:
        return Verdict(state, database, current, build.newest, error, **more)

    if found.recorded is None and found.heads == build.heads:
        return verdict("current")
    contradiction = _contradiction(build, found)
    if contradiction is not None:
        return verdict("diverged", DatabaseDiverged(database, *contradiction))
    applied = ancestors(build.revisions, found.heads)
    pending = tuple(r.id for r in build.revisions if r.id not in applied)
    if not found.heads:
        return verdict("never-migrated", NeverMigrated(database, build.newest), pending=pending)
    strangers = plan.strangers(build.revisions, found.heads, found.recorded or {})
    if strangers:
        error = DatabaseAhead(database, current or "", build.newest, [str(s) for s in strangers])
        tolerated = all(stranger.tolerates(build.revisions) for stranger in strangers)
        return verdict("ahead", None if tolerated else error, ahead=strangers)
    if pending:
        behind = DatabaseBehind(database, current or "base", build.newest, pending)
        return verdict("behind", behind, pending=pending)
    return verdict("current")


def _contradiction(build: Build, found: Glance) -> tuple[str, str] | None:
    """Why neither of the two can be right, and what helps; None where they fit together."""
    table = build.version_table.name
    by_hand = f"`{command()} ledger` shows what was done; {table} was written by somebody else"
    ids = {revision.id for revision in build.revisions}
    in_force = ids if found.recorded is None else set(found.recorded)
    if unknown := found.heads - ids - in_force:
        return f"it is at {_listed(unknown)}, which neither this build nor its ledger knows", _LOST
    if in_force and not found.heads:
        newest = list(found.recorded)[-1] if found.recorded else build.newest
        return f"{table} is empty, and the ledger is at {newest}", by_hand
    known = found.heads & ids
    if found.heads - ids:
        # A newer build was here: what it knows of the order, this one does not.
        lacking = ids - in_force
        if lacking or len(found.heads) > 1:
            has = f"it is at {_listed(found.heads)}"
            return (f"{has} and lacks {_listed(lacking)}" if lacking else has), _BRANCHED
        known = frozenset(ids & in_force)
    else:
        below = ancestors(build.revisions, known)
        above = in_force - below
        if above:
            return f"it is at {_listed(known)}, and the ledger has {_listed(above)} too", by_hand
        if any(head in ancestors(build.revisions, known - {head}) for head in known):
            return f"of its rows {_listed(known)} one builds on another", by_hand
    recorded = {i: row for i, row in (found.recorded or {}).items() if i in ids}
    try:
        plan.check_integrity(build.revisions, known, recorded)
    except Refused as error:
        return error.message, error.help or by_hand
    return None


def _listed(identifiers: Iterable[str]) -> str:
    return ", ".join(sorted(identifiers))


def _glance(connection: Connection, build: Build) -> Glance:
    table = build.version_table
    try:
        return glance(connection, build.digest, table)
    except ProgrammingError as error:
        if sqlstate(error) != UNDEFINED_TABLE:
            raise
    # One of the two is not there: managed by an ordinary Alembic so far, by nobody, or by hand.
    ledger = Ledger(table)
    recorded = applied(ledger.read(connection)) if ledger.exists(connection) else {}
    return Glance(frozenset(heads_of(connection, table)), recorded)
