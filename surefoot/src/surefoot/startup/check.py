"""The start-up check says whether the code of this build works with the database.

    Build (revisions.lock)  x  Glance (version table, ledger)  ->  Verdict

    current         serves
    ahead           serves, where every revision that the build lacks is an expand revision, or a
                    contract revision that tolerates its code
    behind          does not serve; the verdict lists the pending revisions
    never-migrated  does not serve
    diverged        does not serve: an edited, inserted or unknown revision
    unreachable     does not serve: down, refused, locked, silent
    unreadable      does not serve: any other error, or an answer that no build writes

At all heads of the build it takes one statement, which only reads and takes no lock that another
session waits for. With revisions.lock neither Alembic nor a revision file is imported.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import anyio
from sqlalchemy import URL, Connection
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from surefoot import errors
from surefoot.chain.lockfile import from_line, lock_lines, predecessors
from surefoot.chain.revisions import Revision, heads
from surefoot.connect import failures
from surefoot.errors import SurefootError, names
from surefoot.ledger.digest import digest
from surefoot.ledger.glance import Glance, glance, glance_again, read
from surefoot.ledger.integrity import Stranger
from surefoot.ledger.position import position
from surefoot.version_table import VersionTable
from surefoot.wording import duration

State = Literal[
    "current", "ahead", "behind", "never-migrated", "diverged", "unreachable", "unreadable"
]

# The session is there, and the server does not let it read the tables.
_ANSWERS = (errors.DatabaseFailed, errors.PermissionMissing, errors.SchemaMissing)
# Closing a connection that hangs takes up to two seconds more; a probe waits for about five.
TIMEOUT_S = 2.0


@dataclass(frozen=True)
class Build:
    """The revisions of a build, which a service at head never needs one by one."""

    heads: frozenset[str]
    # The digest of a ledger by which all of them were applied, unchanged.
    digest: str
    _revisions: Callable[[], Sequence[Revision]] = field(repr=False)
    version_table: VersionTable = VersionTable()
    # As `Project` has them; the folders are for those who want to read the files.
    schemas: Sequence[str] = ()
    locations: Sequence[Path] = ()
    exclude: Collection[str] = ()

    @cached_property
    def revisions(self) -> Sequence[Revision]:
        """The revisions, each after those that it builds on."""
        return self._revisions()

    @classmethod
    def of(
        cls,
        revisions: Sequence[Revision],
        version_table: VersionTable = VersionTable(),
        schemas: Sequence[str] = (),
        locations: Sequence[Path] = (),
        exclude: Collection[str] = (),
    ) -> Build:
        """The build that has these revisions."""
        applied = digest((r.id, r.sha256) for r in revisions)
        more = version_table, schemas, locations, exclude
        return cls(heads(revisions), applied, lambda: revisions, *more)

    @classmethod
    def read(
        cls,
        lock_path: Path,
        version_table: VersionTable = VersionTable(),
        schemas: Sequence[str] = (),
        locations: Sequence[Path] = (),
        exclude: Collection[str] = (),
    ) -> Build:
        """The build by its revisions.lock. On failure: RevisionsBroken."""
        lines = lock_lines(lock_path)
        # Joined first: a chain of thousands is read at every start.
        below = predecessors("+".join(line[1] for line in lines))
        return cls(
            frozenset(line[0] for line in lines).difference(below),
            digest((line[0], line[4]) for line in lines),
            lambda: tuple(map(from_line, lines)),
            version_table,
            schemas,
            locations,
            exclude,
        )

    @property
    def newest(self) -> str:
        """The newest revision, for messages."""
        return ", ".join(sorted(self.heads)) or "base"


@dataclass(frozen=True)
class Verdict:
    """The result of the check; `error` says why the build does not serve, None where it does.

    Example:
        verdict = await check(database.engine("watch"), project.build())
        print(verdict.state, verdict.pending, verdict.error and verdict.error.help)
    """

    state: State
    database: str
    current: str | None
    expected: str
    error: SurefootError | None = None
    pending: tuple[str, ...] = ()
    # The revisions of the database that the build does not have.
    ahead: tuple[Stranger, ...] = ()

    def __str__(self) -> str:
        if self.error is not None:
            return self.error.message
        if self.ahead:
            told = ", ".join(str(stranger) for stranger in self.ahead)
            return f"database {self.database!r} is ahead of {self.expected}: {told}"
        heads = (self.current or "").split(", ")
        return f"database {self.database!r} is at {names.goal(heads)} {self.current}"


async def check(engine: AsyncEngine, build: Build, *, timeout_s: float = TIMEOUT_S) -> Verdict:
    """Compare the database with the build, within about `timeout_s` whatever the database does.

    It reads the version table and the ledger. An error of any kind is a verdict, too.

    Example:
        verdict = await check(database.engine("watch"), project.build())
        if verdict.error is not None:
            raise verdict.error
    """
    try:
        with anyio.fail_after(timeout_s):
            async with autocommitting(engine).connect() as connection:
                return await check_on(connection, build)
    except Exception as error:
        return unreachable(engine.url, build, error, timeout_s=timeout_s)


def autocommitting(engine: AsyncEngine) -> AsyncEngine:
    """The engine in autocommit mode: BEGIN and ROLLBACK are round trips."""
    return engine.execution_options(isolation_level="AUTOCOMMIT")


async def check_on(connection: AsyncConnection, build: Build) -> Verdict:
    """The same on an open connection. On failure: the connection is lost."""
    url, sync = connection.engine.url, connection.sync_connection
    try:
        found = None
        if sync is not None:
            found = await glance_again(sync, build.digest, build.version_table)
        if found is None:
            found = await connection.run_sync(_glance, build)
        return decide(url.database or "(default)", build, found)
    except Exception as error:
        if failures.is_lost(error):
            raise
        # An error that nobody foresaw leaves nothing of the verdict before it.
        return unreachable(url, build, error)


def unreachable(
    url: URL, build: Build, error: Exception, *, timeout_s: float = TIMEOUT_S
) -> Verdict:
    """The verdict from an error."""
    database = url.database or "(default)"
    if isinstance(error, SurefootError):
        return Verdict("diverged", database, None, build.newest, error)
    silence = errors.DatabaseUnreachable(
        database, failures.address(url), f"no answer within {duration(timeout_s)}"
    )
    meant = silence if isinstance(error, TimeoutError) else failures.explain(error, url)
    is_answer = isinstance(meant, _ANSWERS) and not failures.is_fatal(error)
    if meant is None or is_answer:
        failed = meant or errors.DatabaseFailed(database, failures.named(error))
        return Verdict("unreadable", database, None, build.newest, failed)
    return Verdict("unreachable", database, None, build.newest, meant)


def decide(database: str, build: Build, found: Glance) -> Verdict:
    """The verdict from the build and from the tables of the database."""
    current = ", ".join(sorted(found.heads)) or None

    def verdict(state: State, error: SurefootError | None = None, **more: Any) -> Verdict:
        return Verdict(state, database, current, build.newest, error, **more)

    if found.recorded is None and found.heads == build.heads:
        return verdict("current")
    at = position(
        build.revisions,
        found.heads,
        found.recorded,
        build.version_table,
        has_ledger=found.has_ledger,
    )
    pending = tuple(revision.id for revision in at.pending)
    if at.contradiction is not None:
        return verdict("diverged", at.contradiction.error(database))
    if at.state == "never-migrated":
        return verdict(at.state, errors.NeverMigrated(database, build.newest), pending=pending)
    if at.state == "ahead":
        told = [str(stranger) for stranger in at.strangers]
        unknown = ", ".join(sorted(found.heads - {each.id for each in build.revisions}))
        error = errors.DatabaseAhead(database, unknown, build.newest, told)
        return verdict(at.state, None if at.tolerated else error, ahead=at.strangers)
    if at.state == "behind":
        behind = errors.DatabaseBehind(database, current or "base", build.newest, pending)
        return verdict(at.state, behind, pending=pending)
    return verdict("current")


def _glance(connection: Connection, build: Build) -> Glance:
    table = build.version_table
    try:
        return glance(connection, build.digest, table)
    except ProgrammingError as error:
        if failures.sqlstate(error) != failures.UNDEFINED_TABLE:
            raise
    # One of the tables does not exist: so far plain Alembic, or nobody, has migrated the database.
    return read(connection, table)
