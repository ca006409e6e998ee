"""The first look finds out whether `alembic upgrade head` has anything to do.

It is on the way of every start of every container, and nearly always all there is to it. So it is
taken before what runs revisions is imported, and needs neither an engine nor a model: the bytes of
the revision files, revisions.lock, one connection, two tables. It affirms what is plain, and leaves
everything else, with its reasons, to the run, which looks again.
"""

import asyncio
import signal
import time
from collections.abc import Callable

import asyncpg

from surefoot.chain.lockfile import baseline, lock_lines, predecessors
from surefoot.connect.database import Database
from surefoot.errors import Interrupted, SurefootError
from surefoot.ledger.digest import IN_FORCE, digest
from surefoot.project import Project
from surefoot.run.report import Report, nothing_done
from surefoot.version_table import VersionTable

HEADS = ("head", "heads")
# Both tables at one moment; it fails where one of them is missing.
_LOOK = f"""
SELECT NOT pg_is_in_recovery() AND current_setting('lock_timeout') <> '0'
       AND current_setting('default_transaction_read_only') = 'off'
       AND row_security_active($1::text) IS NOT TRUE
       AND {IN_FORCE} = $2,
       ARRAY(SELECT version_num::text FROM {{version_table}})
"""  # noqa: S608 - constants and the names of our own tables


def at_head(
    project: Project,
    database: Callable[[], Database],
    revision: object,
    say: Callable[[str], None],
    *,
    may_squash: bool = False,
) -> Report | None:
    """The report where the database is at head of this build and agrees with the ledger.

    An empty one is by then, where it `may_squash` and the squash reaches the head. It is told by
    `say`. None where the run has to decide. Only for a typed command, on a connection
    of its own. A database whose server has to be started first is left to the run.
    """
    if revision not in HEADS or loop_is_running():
        return None
    found = database()
    if not found.is_named:
        return None
    began_s = time.monotonic()
    try:
        newest = _look(project, found)
        if newest == frozenset() and may_squash and project.squashed.exists():
            from surefoot.environment import fresh  # noqa: PLC0415 - few projects have a squash

            return fresh.begun(project, found, say)
    except Exception:
        from surefoot.connect.failures import explained  # noqa: PLC0415 - it imports SQLAlchemy

        with explained(found.shown("migrate")):
            raise
    if not newest or (len(newest) > 1 and revision == "head"):
        return None  # Alembic refuses `head` where there are several
    name, at = found.location("migrate").database or "(default)", tuple(sorted(newest))
    report = Report(name, at, at, (), time.monotonic() - began_s)
    say(nothing_done(report, newest))
    return report


def _look(project: Project, database: Database) -> frozenset[str] | None:
    """The newest revisions, where the database has them; none of them where it has no records."""
    try:
        if not project.is_locked():
            return None
        lines = lock_lines(project.lock)
        if not baseline(project.lock) <= {line[0] for line in lines}:
            return None
        heads = {line[0] for line in lines}.difference(
            predecessors("+".join(line[1] for line in lines))
        )
        expected = digest(sorted((line[0], line[4]) for line in lines))
        is_there, rows = asyncio.run(_read(database, project.version_table, expected))
    except asyncpg.UndefinedTableError:
        return frozenset()
    except (SurefootError, asyncpg.PostgresError, asyncpg.InterfaceError):
        return None  # the run meets it again and says what it means
    except KeyboardInterrupt:
        raise Interrupted(signal.SIGINT) from None
    is_newest = len(rows) == len(heads) > 0 and heads == set(rows)
    return frozenset(heads) if is_there and is_newest else None


async def _read(
    database: Database, table: VersionTable, expected: str
) -> tuple[bool | None, list[str]]:
    """Whether the session may migrate and the ledger is as expected; the version table's rows."""
    query = _LOOK.format(table=table.ledger, version_table=table.quoted)
    connection = await database.connect("migrate")
    try:
        found = await connection.fetchrow(query, table.ledger, expected)
    finally:
        await connection.close()
    return (found[0], found[1]) if found else (False, [])


def loop_is_running() -> bool:
    """Whether an event loop runs in this thread."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
