"""The body of alembic/env.py: a connection in, revisions run.

    `alembic …`            env.py -> run -> asyncio.run -> an engine of env.py's -+
    await upgrade(target)  env.py -> run -> the connection that was handed in ----+-> _online
    `alembic … --sql`      env.py -> run -> _offline, no database

What writes (upgrade, downgrade, stamp) goes through surefoot.run.upgrade.migration; what only looks
takes no mutex and writes nothing. What ran is told on stderr and kept as a Report in
`config.attributes["report"]`.

On failure: UpgradeFailed names the revision, the place in its file and what was applied.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

from alembic import context
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, MetaData
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.util.concurrency import await_only, in_greenlet

from surefoot.compat import isolation
from surefoot.connect.failures import explained, is_lost
from surefoot.environment import after_revision as finish
from surefoot.environment import history as listing
from surefoot.environment.commandline import (
    command_name,
    in_words,
    quiet_close,
    rendered,
    say,
)
from surefoot.errors import LoopAlreadyRunning, ModelsDiffer, SurefootError, TransactionAlreadyOpen
from surefoot.run.limits import Limits
from surefoot.run.locks.observer import Watch
from surefoot.run.report import Recorder
from surefoot.run.upgrade.diagnosis import diagnose
from surefoot.run.upgrade.interruption import Interruption
from surefoot.run.upgrade.migration import Migration
from surefoot.run.upgrade.steps import record_steps

Engine = Callable[[], AbstractContextManager[AsyncEngine]]
Options = Callable[[], Mapping[str, Any]]
# The functions that Alembic's writing commands hand to the environment, by what they do.
WRITING = {"upgrade": "upgrade", "downgrade": "downgrade", "do_stamp": "stamp"}
HEADS = ("head", "heads")
# A URL without a server: enough for a dialect. asyncpg's leaves `%` in SQL as it is.
DIALECT_URL = "postgresql+asyncpg://"


def run(
    metadata: MetaData,
    engine: Engine,
    autogenerate: Options,
    limits: Callable[[], Limits] = Limits,
    review: finish.Review | None = None,
) -> None:
    """Do what the Alembic command asks for.

    `engine` opens the database when no connection is handed in; `autogenerate` gives the options
    of `context.configure` that compare models with a database, and is asked only by the commands
    that do; `limits` bounds the waits, unless the caller of `upgrade()` gave others; `review` is
    shown the folder of the revisions once a new one was written.
    """
    finish.register(review)
    isolation.install()
    config = context.config
    with rendered(config):
        if context.is_offline_mode():
            _offline(metadata)
        elif command_name(config) == "history":
            listing.history(config, ScriptDirectory.from_config(config), engine)
        elif command_name(config) == "revision" and not _autogenerates(config):
            # A file with an empty body needs no database.
            context.configure(
                url=DIALECT_URL, as_sql=True, target_metadata=metadata, **autogenerate()
            )
            context.run_migrations()
        else:
            bounds: Limits = config.attributes.get("limits") or limits()
            if (wait_s := config.attributes.get("services_wait_s")) is not None:
                bounds = replace(bounds, services_wait_s=wait_s)
            if (connection := config.attributes.get("connection")) is not None:
                _online(connection, config, metadata, autogenerate, bounds)
            elif in_greenlet():
                await_only(_connect(engine, config, metadata, autogenerate, bounds, signals=False))
            else:
                _refuse_running_loop()
                asyncio.run(_connect(engine, config, metadata, autogenerate, bounds, signals=True))


async def _connect(
    engine: Engine,
    config: Config,
    metadata: MetaData,
    autogenerate: Options,
    limits: Limits,
    *,
    signals: bool,
) -> None:
    with engine() as opened, explained(opened.url), quiet_close():
        interruption = Interruption(opened)
        config.attributes["interruption"] = interruption
        handled: AbstractContextManager[None] = nullcontext()
        if signals:
            looks = command_name(config) not in (None, *WRITING.values())
            handled = interruption.cancelling() if looks else interruption.on_signals()
        with handled:
            try:
                async with opened.connect() as connection:
                    await connection.run_sync(_online, config, metadata, autogenerate, limits)
            finally:
                await interruption.end()


def _online(
    connection: Connection,
    config: Config,
    metadata: MetaData,
    autogenerate: Options,
    limits: Limits,
) -> None:
    if connection.in_transaction():
        raise TransactionAlreadyOpen
    script = ScriptDirectory.from_config(config)
    command = command_name(config)

    def configure(**options: Any) -> MigrationContext:
        context.configure(
            connection=connection,
            target_metadata=metadata,
            transaction_per_migration=True,
            **options,
        )
        return context.get_context()

    function = configure()._migrations_fn
    writes = WRITING.get(getattr(function, "__name__", ""))
    if writes is not None:
        _write(connection, config, script, writes, configure, limits)
        return
    configure(**autogenerate())
    recorder = Recorder(_name(connection), _silent)
    record_steps(context.get_context(), script, recorder)
    with context.begin_transaction():
        context.run_migrations()
    _refuse_differences(command)
    if connection.in_transaction():
        # `ensure_version` makes its table outside of any revision's transaction.
        connection.commit()
    if command == "current" and set(recorder.before) != set(script.get_heads()):
        at = ", ".join(recorder.before) or "base: it was never migrated"
        say(f"{recorder.database} is at {at}. Next: alembic upgrade head")


def _refuse_differences(command: str | None) -> None:
    """Say what `alembic check` found in words. On failure: ModelsDiffer."""
    if command != "check":
        return
    generated = context.get_context().opts["revision_context"].generated_revisions[-1]
    differences = [diff for each in generated.upgrade_ops_list for diff in each.as_diffs()]
    if differences:
        raise ModelsDiffer([in_words(diff) for diff in differences])


def _write(
    connection: Connection,
    config: Config,
    script: ScriptDirectory,
    command: str,
    configure: Callable[..., MigrationContext],
    limits: Limits,
) -> None:
    tell = config.attributes.get("say") or (say if command_name(config) else _silent)
    recorder = Recorder(_name(connection), tell)
    engine = AsyncEngine(connection.engine)
    interruption: Interruption = config.attributes.get("interruption") or Interruption(engine)
    destination = config.attributes.get("destination") or getattr(config.cmd_opts, "revision", None)
    versions = Path(script.versions)
    migration = Migration(
        connection,
        versions,
        command=command,
        to_head=destination in HEADS,
        limits=limits,
        recorder=recorder,
        interruption=interruption,
        watch=Watch(engine, limits=limits, say=tell),
        reason=config.attributes.get("reason"),
        adopt=bool(config.attributes.get("adopt")),
        say=tell,
    )

    def attempt() -> None:
        configured = configure(on_version_apply=migration.on_version_apply, migration=migration)
        record_steps(
            configured,
            script,
            recorder,
            on_plan=migration.planned,
            on_start=migration.revision_starts,
            on_done=migration.revision_done,
        )
        with context.begin_transaction():
            context.run_migrations()

    typed = f"alembic {command} {destination or ''}".rstrip()

    def meaning(error: Exception) -> SurefootError | None:
        kept = migration.kept(lost=is_lost(error))
        return diagnose(error, recorder, versions, typed, kept)

    try:
        migration.run(attempt, meaning)
    finally:
        config.attributes["report"] = recorder.report()
    recorder.end(migration.heads)


def _name(connection: Connection) -> str:
    return connection.engine.url.database or "(default)"


def _offline(metadata: MetaData) -> None:
    context.configure(
        url=DIALECT_URL,
        target_metadata=metadata,
        literal_binds=True,
        transaction_per_migration=True,
    )
    with context.begin_transaction():
        context.run_migrations()


def _autogenerates(config: Config) -> bool:
    return bool(getattr(config.cmd_opts, "autogenerate", False))


def _refuse_running_loop() -> None:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return
    raise LoopAlreadyRunning


def _silent(line: str) -> None:
    """A library narrates nothing."""
