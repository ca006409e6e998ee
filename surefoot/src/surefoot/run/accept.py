"""accept_checksum() overrides the comparison of an applied revision with its file."""

from __future__ import annotations

from sqlalchemy import Connection

from surefoot.chain.revisions import Revision
from surefoot.connect.failures import explained
from surefoot.connect.limits import Limits
from surefoot.errors import NotFound
from surefoot.errors.names import command
from surefoot.ledger.table import Entry, Ledger, Row, applied
from surefoot.project import Project
from surefoot.run.locks import mutex
from surefoot.run.upgrade.interruption import Interruption
from surefoot.target import Target
from surefoot.version_table import VersionTable


async def accept_checksum(
    target: Target, revision: str, reason: str, version_table: VersionTable = VersionTable()
) -> Row:
    """Record that the file of an applied revision is accepted, though its code differs.

    On failure: NotFound, where there is no such file or it was never applied; MutexHeld.
    """
    known = {item.id: item for item in Project.read(target.ini).revisions()}
    if revision not in known:
        raise NotFound(f"there is no revision {revision!r}", help="`alembic history` lists them")
    limits = target.limits or Limits()
    interruption = Interruption(target.engine)
    with explained(target.engine.url):
        async with target.engine.connect() as connection:
            return await connection.run_sync(
                _accept, known[revision], reason, limits, interruption, version_table
            )


def _accept(
    connection: Connection,
    revision: Revision,
    reason: str,
    limits: Limits,
    interruption: Interruption,
    version_table: VersionTable,
) -> Row:
    ledger = Ledger(version_table)
    with mutex.held(
        connection,
        mutex.key(version_table),
        wait_s=limits.mutex_wait_s,
        sleep=interruption.sleep,
    ):
        rows = ledger.read(connection) if ledger.exists(connection) else ()
        if revision.id not in applied(rows):
            raise NotFound(
                f"{revision.id} was never applied to this database, so there is nothing to accept",
                help=f"`{command()} ledger` shows what was",
            )
        entry = Entry(
            revision=revision.id,
            direction="upgrade",
            phase=revision.phase,
            outcome="accepted",
            checksum=revision.sha256,
            build=limits.build,
            reason=reason,
        )
        ledger.append(connection, entry)
        written = ledger.read(connection)[-1]
        connection.commit()
        return written
