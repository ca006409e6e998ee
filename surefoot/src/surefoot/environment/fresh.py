"""begun() lets an empty database begin with a squash that reaches the head, and so be done.

A new database is made often: by tests, by CI, for each branch. As a part of the first look it needs
neither an engine, a model nor a module of a revision. All that is not plain is left to the run.
"""

import asyncio
import signal
import time
from collections.abc import Callable, Sequence

import asyncpg

from surefoot.chain.revisions import Revision, ancestors
from surefoot.chain.squashed import Squash
from surefoot.connect.database import Database
from surefoot.errors import Interrupted, SurefootError
from surefoot.project import Project
from surefoot.run.narration import narrated
from surefoot.run.recorder import Recorder
from surefoot.run.report import Report
from surefoot.run.upgrade.squashed import applied
from surefoot.version_table import ALEMBICS_LENGTH, VersionTable

_IS_PLAIN = """
SELECT pg_backend_pid(), NOT pg_is_in_recovery() AND current_setting('lock_timeout') <> '0'
       AND current_setting('default_transaction_read_only') = 'off'
       AND to_regclass($1) IS NULL AND to_regclass($2) IS NULL
       AND to_regprocedure($3 || '()') IS NULL
"""


def begun(project: Project, database: Database, say: Callable[[str], None]) -> Report | None:
    """The report where the database was empty and is at head now, told by `say`.

    None where the run has to decide, with all or nothing kept.
    """
    name = database.location("migrate").database or "(default)"
    recorder = Recorder(name, narrated(say))
    try:
        locked = project.locked()
        squash = Squash.read(project.squashed)
        if squash is None or len(ancestors(locked, [squash.revision])) != len(locked):
            return None
        if any(len(each.id) > ALEMBICS_LENGTH for each in locked):
            return None
        below, began_s = squash.check(locked), time.monotonic()
        if not asyncio.run(_apply(database, squash, below, project.version_table)):
            return None
    except (SurefootError, asyncpg.PostgresError, asyncpg.InterfaceError):
        return None  # the run meets it again and says what it means
    except KeyboardInterrupt:
        raise Interrupted(signal.SIGINT, None) from None
    took_s, without_rows = time.monotonic() - began_s, squash.from_database
    recorder.squash([each.id for each in below], took_s, without_rows=without_rows)
    recorder.end(below)
    return recorder.report()


async def _apply(
    database: Database, squash: Squash, below: Sequence[Revision], table: VersionTable
) -> bool:
    connection = await database.connect("migrate")
    try:
        names = table.quoted, table.ledger, table.ledger_guard
        session = await connection.fetchrow(_IS_PLAIN, *names)
        if session is None or (connection.get_server_pid(), True) != tuple(session):
            return False
        build = database.limits.build
        return await applied(connection, squash, below, table, build=build) is None
    finally:
        await connection.close()
