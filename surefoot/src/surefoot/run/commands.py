"""upgrade() and downgrade() do from a running event loop what the commands of that name do.

await upgrade(Target.of(engine), "head")   from a FastAPI lifespan, a test, a script
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection

from surefoot.compat import isolation
from surefoot.connect.failures import explained
from surefoot.run.report import Report
from surefoot.run.upgrade.interruption import Interruption
from surefoot.target import Target

Say = Callable[[str], None]


async def upgrade(
    target: Target,
    revision: str = "head",
    *,
    reason: str | None = None,
    services_wait_s: float | None = None,
    say: Say | None = None,
    signals: bool = False,
) -> Report:
    """Apply what is pending up to `revision`.

    `reason` lets it drop data in production and break services that live, and the ledger keeps it;
    `services_wait_s` is how long it waits for these to end, unless the limits say; `say` is told
    what goes on; with `signals`, SIGTERM and SIGINT end it in an orderly way.

    On failure: UpgradeFailed, LockBlocked and Interrupted with what was applied; MutexHeld; the
    errors of a guard, with nothing changed; RevisionUnknown; and what connecting can meet.
    """
    return await _run(
        target,
        command.upgrade,
        revision,
        signals,
        reason=reason,
        services_wait_s=services_wait_s,
        say=say,
    )


async def downgrade(
    target: Target,
    revision: str,
    *,
    reason: str | None = None,
    say: Say | None = None,
    signals: bool = False,
) -> Report:
    """Revert what was applied after `revision`. Arguments and failures are those of `upgrade`."""
    return await _run(target, command.downgrade, revision, signals, reason=reason, say=say)


async def stamp(
    target: Target,
    revision: str,
    *,
    reason: str | None = None,
    adopt: bool = False,
    say: Say | None = None,
) -> Report:
    """Record that the database is at `revision`; with a reason, whatever its schema is.

    On failure: StampRefused, MutexHeld, RevisionUnknown, and what connecting can meet.
    """
    return await _run(target, command.stamp, revision, reason=reason, adopt=adopt, say=say)


async def _run(
    target: Target,
    function: Callable[[Config, str], None],
    revision: str,
    signals: bool = False,
    **attributes: Any,
) -> Report:
    isolation.install()
    config = Config(target.ini)
    config.attributes.update(destination=revision, limits=target.limits, **attributes)
    interruption = config.attributes["interruption"] = Interruption(target.engine)

    def call(connection: Connection) -> None:
        config.attributes["connection"] = connection
        function(config, revision)

    async def run() -> None:
        async with target.engine.connect() as connection:
            await connection.run_sync(call)

    with explained(target.engine.url), interruption.on_signals() if signals else nullcontext():
        running = asyncio.ensure_future(run())
        try:
            await asyncio.shield(running)
        except asyncio.CancelledError:
            # The run ends in its own way: statement cancelled, mutex free, outcome recorded.
            interruption.request()
            await asyncio.wait([running])
            with contextlib.suppress(Exception):
                running.result()
            raise
        finally:
            await interruption.end()
    report = config.attributes["report"]
    if not isinstance(report, Report):
        raise TypeError("alembic/env.py did not call surefoot.environment.environment.run")
    return report
