"""upgrade() and downgrade() do from a running event loop what the commands of that name do.

await upgrade(Target.of(engine), "head")   from a FastAPI lifespan, a test, a script
"""

from __future__ import annotations

from collections.abc import Callable

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection

from app.db.failures import explained
from app.migrate.run.report import Report
from app.migrate.target import Target


async def upgrade(target: Target, revision: str = "head") -> Report:
    """Apply what is pending up to `revision`.

    On failure: UpgradeFailed with what was applied; RevisionUnknown; DatabaseAhead; and what
    connecting can meet: DatabaseUnreachable, LoginRefused, DatabaseMissing, PermissionMissing.
    """
    return await _run(target, command.upgrade, revision)


async def downgrade(target: Target, revision: str) -> Report:
    """Revert what was applied after `revision`. On failure: as `upgrade`."""
    return await _run(target, command.downgrade, revision)


async def _run(target: Target, function: Callable[[Config, str], None], revision: str) -> Report:
    config = Config(target.ini)

    def call(connection: Connection) -> None:
        config.attributes["connection"] = connection
        function(config, revision)

    with explained(target.engine.url):
        async with target.engine.connect() as connection:
            await connection.run_sync(call)
    report = config.attributes["report"]
    if not isinstance(report, Report):
        raise TypeError("alembic/env.py did not call app.migrate.run.environment.run")
    return report
