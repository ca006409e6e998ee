"""The first look finds out whether `alembic upgrade head` has anything to do.

It is on the way of every start of every container, and nearly always all there is to it. So it is
taken before what runs revisions is imported, and needs neither an engine nor a model: the bytes of
the revision files, revisions.lock, one connection, two tables. It affirms what is plain, and leaves
everything else, with its reasons, to the run, which looks again.
"""

import asyncio
import signal
from collections.abc import Callable

import asyncpg
from alembic.config import Config

from surefoot.compat.alembic import command_name
from surefoot.connect.database import Database
from surefoot.connect.failures import explained
from surefoot.environment.commandline import narrate
from surefoot.errors import Interrupted, SurefootError
from surefoot.ledger.glance import ids
from surefoot.ledger.position import position
from surefoot.ledger.table import Row, applied, was_used
from surefoot.project import Project
from surefoot.run.recorder import Recorder
from surefoot.version_table import VersionTable

HEADS = ("head", "heads")
_SESSION = """
SELECT NOT pg_is_in_recovery() AND current_setting('lock_timeout') <> '0'
       AND current_setting('default_transaction_read_only') = 'off'
       AND to_regclass($1) IS NOT NULL AND row_security_active(to_regclass($2)) IS NOT TRUE
       AND (to_regclass($2) IS NOT NULL OR to_regprocedure($3 || '()') IS NULL), -- not dropped
       to_regclass($2) IS NOT NULL
"""
_LEDGER = """
SELECT revision, direction, phase, outcome, checksum, finished_at
FROM {} ORDER BY id
"""


def at_head(config: Config, project: Project, database: Callable[[], Database]) -> bool:
    """Whether the database is at head of this build, and agrees with the ledger; then say so.

    Only for a typed command, on a connection of its own. A database whose server has to be started
    first is left to the run.
    """
    options = config.cmd_opts
    if (
        command_name(config) != "upgrade"
        or getattr(options, "revision", None) not in HEADS
        or getattr(options, "sql", False)
        or config.attributes
        or loop_is_running()
    ):
        return False
    found = database()
    if not found.is_named:
        return False
    shown = found.shown("migrate")
    recorder = Recorder(shown.database or "(default)", narrate)
    with explained(shown):
        newest = _look(project, found)
    if newest is None or (len(newest) > 1 and getattr(options, "revision", None) == "head"):
        return False  # Alembic refuses `head` where there are several
    recorder.begin(tuple(sorted(newest)), ())
    recorder.end(newest)
    config.attributes["report"] = recorder.report()
    return True


def _look(project: Project, database: Database) -> frozenset[str] | None:
    """The newest revisions, where the database has them."""
    try:
        if not project.is_locked():
            return None
        locked = project.locked()
        in_database, rows = asyncio.run(_read(database, project.version_table))
        at = position(locked, in_database, applied(rows), has_ledger=was_used(rows))
        if at.state != "current" or (in_database and not was_used(rows)):
            return None  # without a ledger, it has to begin
    except (SurefootError, asyncpg.PostgresError, asyncpg.InterfaceError):
        return None  # the run meets it again and says what it means
    except KeyboardInterrupt:
        raise Interrupted(signal.SIGINT) from None
    return in_database


async def _read(database: Database, table: VersionTable) -> tuple[frozenset[str], list[Row]]:
    """The heads in the version table and the rows of the ledger; none where the run must decide."""
    connection = await database.connect("migrate")
    try:
        found = await connection.fetchrow(_SESSION, table.quoted, table.ledger, table.ledger_guard)
        is_plain, has_ledger = found or (False, False)
        if not is_plain:
            return frozenset(), []
        heads = await connection.fetch(f"SELECT version_num FROM {table.quoted}")  # noqa: S608 - quoted
        rows = await connection.fetch(_LEDGER.format(table.ledger)) if has_ledger else []
    finally:
        await connection.close()
    return frozenset(ids((row[0] for row in heads), table)), [Row(**dict(row)) for row in rows]


def loop_is_running() -> bool:
    """Whether an event loop runs in this thread."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
