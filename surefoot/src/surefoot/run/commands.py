"""upgrade(), downgrade() and stamp() run Alembic's commands of that name in a running event loop.

accept_checksum() overrides the comparison of an applied revision with its file. The logging of the
program stays as it is, whatever env.py does to it.

await upgrade(Target.of(engine), "head")   from a FastAPI lifespan, a test, a script
"""

import asyncio
import contextlib
import inspect
import logging
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection

from surefoot.chain.typed import near
from surefoot.compat import alembic as compat
from surefoot.compat import logs
from surefoot.compat.sqlalchemy import greenlet_spawn
from surefoot.connect.failures import explained
from surefoot.connect.limits import Limits
from surefoot.errors import (
    ConfigurationInvalid,
    EnvironmentMissing,
    NotFound,
    RevisionUnknown,
    names,
)
from surefoot.ledger.appending import append
from surefoot.ledger.table import Entry, Ledger, Row, applied
from surefoot.project import Project, alembic_config
from surefoot.run.events import Listen
from surefoot.run.interruption import Interruption
from surefoot.run.locks import mutex
from surefoot.run.report import Report
from surefoot.run.until_done import until_done
from surefoot.target import Target
from surefoot.version_table import VersionTable


async def upgrade(
    target: Target,
    revision: str = "head",
    *,
    reason: str | None = None,
    services_wait_s: float | None = None,
    listen: Listen | None = None,
    signals: bool = False,
    measure: bool = True,
    together: bool = True,
    squash: bool = True,
) -> Report:
    """Apply the pending revisions up to `revision`.

    `reason` lets it lose data in production and break running services; the ledger keeps it.
    `services_wait_s` overrides the limit of that name. `listen` is called with each event of the
    run; `surefoot.narrated(logger.info)` makes one that logs lines. With `signals`, SIGTERM, SIGINT
    and SIGHUP stop the run in order. Without `measure` the ledger does not get the fingerprint of
    the schema, which a scratch database does without. Without `together` each revision commits by
    itself, also on an empty database. Without `squash` that one runs the revisions, too, where the
    project has a squash of them; it also does without `together`. A squash from a database is used
    in any case, as its revisions do not run there.

    On failure: UpgradeFailed, LockBlocked and Interrupted with the applied revisions; MutexHeld;
    the errors of a guard, with nothing changed; RevisionUnknown; the errors of connecting.

    Example:
        report = await upgrade(Target.of(database.engine("migrate"), "alembic.ini"), "head")
        print(report.after)
    """
    return await _run(
        target,
        command.upgrade,
        revision,
        signals,
        reason=reason,
        services_wait_s=services_wait_s,
        listen=listen,
        measure=measure,
        together=together,
        squash=squash,
    )


async def downgrade(
    target: Target,
    revision: str,
    *,
    reason: str | None = None,
    listen: Listen | None = None,
    signals: bool = False,
    measure: bool = True,
    versions: Path | None = None,
    tell_losses: bool = False,
) -> Report:
    """Revert the revisions after `revision`. Arguments and failures are those of `upgrade`.

    `versions` is a folder of revision files that takes the place of the project's own, with its
    revisions.lock beside it. With `tell_losses` an event names the data that each revision loses,
    where that is not refused.

    Example:
        report = await downgrade(target, "base")
        print(report.after)
    """
    return await _run(
        target,
        command.downgrade,
        revision,
        signals,
        versions,
        reason=reason,
        listen=listen,
        measure=measure,
        tell_losses=tell_losses,
    )


async def stamp(
    target: Target,
    revision: str | Sequence[str],
    *,
    reason: str | None = None,
    adopt: bool = False,
    listen: Listen | None = None,
) -> Report:
    """Record that the database is at `revision`, or at several; with a reason, whatever it has.

    With a reason, whatever version table and ledger said before is replaced.

    On failure: StampRefused, MutexHeld, RevisionUnknown, the errors of connecting.

    Example:
        await stamp(target, "head", reason="restored from the backup of Monday")
    """
    function = partial(command.stamp, purge=True) if reason is not None else command.stamp
    return await _run(target, function, revision, reason=reason, adopt=adopt, listen=listen)


async def accept_checksum(
    target: Target, revision: str, reason: str, version_table: VersionTable = VersionTable()
) -> Row:
    """Record that the file of an applied revision is accepted, though its code differs.

    On failure: RevisionUnknown; NotFound, where it was never applied; MutexHeld.
    """
    known = {item.id: item for item in Project.read(target.ini).revisions()}
    if revision not in known:
        raise RevisionUnknown(f"no revision is {revision!r}", near(revision, [*known.values()]))
    limits = target.limits or Limits()
    ledger, sleep = Ledger(version_table), Interruption(target.engine.sync_engine).sleep

    def accept(connection: Connection) -> Row:
        number, wait_s = mutex.key(version_table), limits.mutex_wait_s
        with mutex.held(connection, number, wait_s=wait_s, sleep=sleep):
            rows = ledger.read(connection) if ledger.exists(connection) else ()
            if revision not in applied(rows):
                raise NotFound(
                    f"{revision} was never applied to this database, so there is nothing to accept",
                    help=f"`{names.command()} ledger` shows what was",
                )
            entry = Entry(
                revision=revision,
                direction="upgrade",
                phase=known[revision].phase,
                outcome="accepted",
                checksum=known[revision].sha256,
                build=limits.build,
                reason=reason,
            )
            ledger.extend(connection)
            append(connection, ledger, entry)
            written = ledger.read(connection)[-1]
            connection.commit()
            return written

    with explained(target.engine.url):
        async with target.engine.connect() as connection:
            return await connection.run_sync(accept)


@contextmanager
def _unlogged() -> Iterator[None]:
    """Within the block Alembic logs no revision: they run on a scratch database."""
    logger = logging.getLogger("alembic.runtime.migration")

    def none(_: object) -> bool:
        return False

    logger.addFilter(none)
    try:
        yield
    finally:
        logger.removeFilter(none)


def _import_once(folders: Sequence[str]) -> None:
    """Alembic puts `prepend_sys_path` in front at every command, in a program that goes on."""
    for folder in {*folders} & {*sys.path}:
        after = sys.path.index(folder) + 1
        sys.path[after:] = [each for each in sys.path[after:] if each != folder]


async def _run(
    target: Target,
    function: Callable[[Config, Any], None],
    revision: str | Sequence[str],
    signals: bool = False,
    versions: Path | None = None,
    **attributes: Any,
) -> Report:
    if inspect.iscoroutinefunction(attributes.get("listen")):
        reason = "it is an async function, and nothing awaits it"
        raise ConfigurationInvalid("listen", reason, "give a function that returns at once")
    compat.install()
    config = alembic_config(target.ini)
    if versions is not None:
        config.set_main_option("version_locations", str(versions).replace("%", "%%"))
    named = revision if isinstance(revision, str) else names.arguments(revision)
    config.attributes.update(destination=named, limits=target.limits, **attributes)
    interruption = config.attributes["interruption"] = Interruption(target.engine.sync_engine)

    def call(connection: Connection) -> None:
        config.attributes["connection"] = connection
        function(config, revision)

    async def run() -> None:
        async with interruption.connected() as connection:
            await greenlet_spawn(call, connection)

    # The log of Alembic names no database: one that is told of another would be alarming.
    told = nullcontext() if attributes.get("measure", True) else _unlogged()
    signalled = interruption.on_signals() if signals else nullcontext()
    with explained(target.engine.url), signalled, told, logs.kept():
        running = asyncio.ensure_future(run())
        try:
            await asyncio.shield(running)
        except asyncio.CancelledError:
            # The run stops in order: statement cancelled, mutex released, outcome recorded.
            interruption.request()
            with contextlib.suppress(asyncio.CancelledError):
                await until_done(running)
            with contextlib.suppress(Exception):
                running.result()
            raise
        finally:
            await interruption.end()
            _import_once(config.get_prepend_sys_paths_list() or ())
    report = config.attributes.get("report")
    if not isinstance(report, Report):
        raise EnvironmentMissing(f"the env.py of {target.ini}")
    return report
