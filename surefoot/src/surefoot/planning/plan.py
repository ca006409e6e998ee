"""plan() forecasts the effect of the pending revisions on a database, with durations.

trace (on a scratch database) x statistics and plans (of the target, read only) -> Forecast
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from surefoot.chain.revisions import Revision, ancestors
from surefoot.chain.revisions import heads as heads_of
from surefoot.chain.typed import revision_typed
from surefoot.connect.database import Database
from surefoot.connect.failures import LOCK_NOT_AVAILABLE, explained, sqlstate
from surefoot.errors import DatabaseAhead, RevisionUnknown, SurefootError, TableLocked
from surefoot.ledger.glance import Glance, read
from surefoot.ledger.position import position
from surefoot.linting.chain_lint import lint
from surefoot.linting.judging import Linted, judgement
from surefoot.planning.backfills import RequiredBackfill, required_backfills
from surefoot.planning.statements import PlannedStatement, planned
from surefoot.planning.statistics import Statistics, read_statistics
from surefoot.planning.target_plans import with_expected_rows
from surefoot.planning.undo import Undo, undos
from surefoot.project import Project
from surefoot.rules.findings import Finding
from surefoot.run.commands import stamp
from surefoot.run.events import Listen, ignore
from surefoot.scratch.schema import Schema, make_schema, read_schema
from surefoot.target import Target
from surefoot.version_table import VersionTable
from surefoot.wording import in_order

# Enough rows to tell a scan from a change of the catalog by its duration.
ROWS = 20_000
# The schema of new objects, where the search path of the database leads to another than that of a
# scratch database.
_OWN = text("SELECT CASE current_schema() WHEN 'public' THEN '' ELSE current_schema()::text END")
# A destination that is counted from where the database is.
_COUNTED = re.compile(r"\+(\d+)")


@dataclass(frozen=True)
class PlannedRevision:
    """One pending revision."""

    revision: Revision
    statements: tuple[PlannedStatement, ...]
    undo: Undo
    backfills: Sequence[RequiredBackfill] = ()


@dataclass(frozen=True)
class Forecast:
    """The pending revisions of one database."""

    target: str
    database: str
    before: tuple[str, ...]
    revisions: tuple[PlannedRevision, ...]
    findings: tuple[Finding, ...]
    statistics: Statistics
    # Whether the scratch database had a copy of the target's schema, or that of the revisions.
    copied: bool = False
    # The consequences of a scratch server of another major version.
    mismatch: str | None = None
    # The error of a revision on the scratch database; later revisions were not traced.
    stopped_by: SurefootError | None = None
    # The last revision, where the plan does not go on to the head.
    to: str | None = None

    def as_json(self) -> Mapping[str, Any]:
        """The forecast as one JSON object."""
        return {
            "schema_version": 1,
            "target": self.target,
            "database": self.database,
            "at": list(self.before),
            "schema_of": "target" if self.copied else "revisions",
            "mismatch": self.mismatch,
            "oldest_transaction": asdict(self.statistics.oldest)
            if self.statistics.oldest
            else None,
            "revisions": [_revision_json(p, self.statistics) for p in self.revisions],
            "findings": [finding.as_json() for finding in self.findings],
            "stopped_by": self.stopped_by.as_json() if self.stopped_by else None,
        }


def forecast(
    target: str,
    database: str,
    before: Sequence[str],
    pending: Sequence[Revision],
    linted: Linted,
    statistics: Statistics,
    *,
    copied: bool = False,
    backfills: Mapping[str, Sequence[RequiredBackfill]] = {},
) -> Forecast:
    """Join the trace with the statistics of the target, and the backfills of its revisions."""
    back = undos(pending, linted.trace, statistics)
    # No rule judges the past; a finding without a revision is about something else.
    past = {each.id for each in pending if each.past and not each.unlocked}
    findings = tuple(each for each in linted.findings if each.revision not in past)
    revisions = tuple(
        PlannedRevision(
            revision,
            planned(unit.statements, statistics),
            back[revision.id],
            backfills.get(revision.id, ()),
        )
        for revision, unit in zip(pending, linted.units, strict=True)
    )
    return Forecast(
        target,
        database,
        tuple(before),
        revisions,
        findings,
        statistics,
        copied,
        linted.mismatch,
        linted.trace.failure,
    )


async def plan(
    project: Project,
    database: Database,
    *,
    name: str | None = None,
    to: str = "head",
    trying: Database | None = None,
    from_database: bool = False,
    listen: Listen = ignore,
) -> Forecast:
    """The effect that `alembic upgrade` to a revision would have; nothing runs on the database.

    The pending revisions run on a scratch database and back again, on the scratch server of
    `trying` (the database's own by default). Their locks, rewrites and scans are combined with the
    statistics of the database: rows, bytes and open transactions, for which reading is enough. It
    plans their data statements with EXPLAIN, for which its role needs the right to run them.
    With `from_database` the scratch database has a copy of the database's schema, by pg_dump.

    `listen` hears the events of the runs on the scratch database.

    On failure: DatabaseAhead, DatabaseDiverged, RevisionUnknown, TableLocked, and the errors of
    connecting. A
    revision that fails on the scratch database is the plan's `stopped_by`, as is the scratch
    server where it fails.

    Example:
        found = await plan(project, database)
        print(found.as_json()["revisions"])
    """
    chain = project.revisions()
    engine = database.engine("observe")
    called = engine.url.database or "(default)"
    wait_s = database.limits.read_wait_s
    schema: Schema | None = None
    try:
        with explained(engine.url), _patient(called, wait_s):
            async with engine.connect() as connection:
                seen = await connection.run_sync(read, project.version_table)
                heads = tuple(sorted(seen.heads))
                pending = _pending(chain, seen, called, project.version_table)
                last, pending = _up_to(to, chain, pending)
                own = "" if project.schemas else await connection.scalar(_OWN)
                now = await connection.run_sync(read_statistics, "" if from_database else own)
                zone = await connection.scalar(text("SHOW timezone"))
                major = int((connection.dialect.server_version_info or (0,))[0])
                if from_database and pending:
                    named = {*project.schemas, project.version_table.schema}
                    schema = await read_schema(
                        database, connection, own=named if project.schemas else ()
                    )
    finally:
        await engine.dispose()

    async def prepare(of: Schema, scratch: Target) -> None:
        await make_schema(of, scratch.engine)
        if heads:
            await stamp(scratch, heads, reason="a copy of the target's schema")

    wanted = [revision.id for revision in pending]
    linted = await lint(
        # A copy has the tables in their schema; made by the revisions, they are in `public`.
        replace(project, schemas=(own,)) if own and from_database else project,
        trying or database,
        wanted,
        major=major,
        rows=ROWS,
        back=True,
        zone=str(zone),
        prepare=None if schema is None else partial(prepare, schema),
        listen=listen,
    )
    with explained(engine.url):
        known = await with_expected_rows(database, linted.trace.statements, now)
        backfills = await required_backfills(pending, database, project)
    if known != linted.trace.statements:
        traced = replace(linted.trace, statements=known)
        again = judgement(pending, traced, linted.major or major)
        linted = replace(again, tried_on=linted.tried_on)
    of = name or called, called, heads, pending, linted, now
    return replace(forecast(*of, copied=from_database, backfills=backfills), to=last)


def _pending(
    chain: Sequence[Revision], seen: Glance, database: str, table: VersionTable
) -> Sequence[Revision]:
    """The revisions after the heads. On failure: DatabaseAhead, DatabaseDiverged."""
    at = position(chain, seen.heads, seen.recorded, table, has_ledger=seen.has_ledger)
    if not seen.heads <= {revision.id for revision in chain}:
        told = ", ".join(each.id for each in at.strangers)
        raise DatabaseAhead(database, told, ", ".join(sorted(heads_of(chain))) or "base")
    if at.contradiction is not None:
        raise at.contradiction.error(database)
    return at.pending


def _up_to(
    to: str, chain: Sequence[Revision], pending: Sequence[Revision]
) -> tuple[str | None, Sequence[Revision]]:
    """The revision that is meant, None for the head, and the pending ones that lead there."""
    if to in ("head", "heads"):
        return None, pending
    if counted := _COUNTED.fullmatch(to):
        number, ids = int(counted[1]), [each.id for each in pending]
        is_line = all(each.down == (ids[n],) for n, each in enumerate(pending[1:]))
        if not is_line or not 0 < number <= len(ids):
            raise RevisionUnknown(f"{to} leads to no one revision; pending: {in_order(ids)}")
        last = ids[number - 1]
    else:
        last = revision_typed(to, chain)
    leading = ancestors(chain, [last])
    return last, [each for each in pending if each.id in leading]


@contextmanager
def _patient(database: str, wait_s: float) -> Iterator[None]:
    """On failure: TableLocked, where a table could not be read in time."""
    try:
        yield
    except DBAPIError as error:
        if sqlstate(error) != LOCK_NOT_AVAILABLE:
            raise
        raise TableLocked(database, wait_s) from error


def _revision_json(planned: PlannedRevision, statistics: Statistics) -> Mapping[str, Any]:
    return {
        "revision": planned.revision.id,
        "slug": planned.revision.slug,
        "phase": planned.revision.phase,
        "requires_backfill": [asdict(each) for each in planned.backfills],
        "undo": planned.undo.as_json(statistics),
        "statements": [each.as_json(statistics) for each in planned.statements],
    }
