"""The body of alembic/env.py: a connection in, revisions run.

    `alembic …`            env.py -> run -> asyncio.run -> an engine of env.py's -+
    await upgrade(target)  env.py -> run -> the connection that was handed in ----+-> _online
    `alembic … --sql`      env.py -> run -> _offline, no database

1. The connection has no open transaction, or Alembic would commit nothing and report success.
2. Every revision runs in a transaction of its own, and its row in alembic_version with it.
3. What ran is told on stderr and kept as a Report in `config.attributes["report"]`.

On failure: UpgradeFailed names the revision, the place in its file and what was applied.
"""

from __future__ import annotations

import asyncio
import os
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from alembic import context
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.runtime.migration import MigrationInfo, RevisionStep
from alembic.script import ScriptDirectory
from alembic.util.exc import CommandError
from sqlalchemy import Connection, MetaData
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.util.concurrency import await_only, in_greenlet

from app.db.failures import describe, explained, sqlstate
from app.errors import (
    DatabaseAhead,
    LoopAlreadyRunning,
    TransactionAlreadyOpen,
    UpgradeFailed,
    VegafsError,
)
from app.migrate.run import finish, listing
from app.migrate.run.commandline import command_name, rendered, say
from app.migrate.run.report import Planned, Recorder

Engine = Callable[[], AbstractContextManager[AsyncEngine]]
Options = Callable[[], Mapping[str, Any]]
# These end with a line that says what was done; the others answer on stdout.
RUNNING = ("upgrade", "downgrade", "stamp")
# A URL without a server: enough for a dialect. asyncpg's leaves `%` in SQL as it is.
DIALECT_URL = "postgresql+asyncpg://"


def run(metadata: MetaData, engine: Engine, autogenerate: Options) -> None:
    """Do what the Alembic command asks for.

    `engine` opens the database when no connection is handed in; `autogenerate` gives the options
    of `context.configure` that compare models with a database.
    """
    finish.register()
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
        elif (connection := config.attributes.get("connection")) is not None:
            _online(connection, metadata, autogenerate)
        elif in_greenlet():
            await_only(_connect(engine, metadata, autogenerate))
        else:
            _refuse_running_loop()
            asyncio.run(_connect(engine, metadata, autogenerate))


async def _connect(engine: Engine, metadata: MetaData, autogenerate: Options) -> None:
    with engine() as opened, explained(opened.url):
        async with opened.connect() as connection:
            await connection.run_sync(_online, metadata, autogenerate)


def _online(connection: Connection, metadata: MetaData, autogenerate: Options) -> None:
    config = context.config
    if connection.in_transaction():
        raise TransactionAlreadyOpen
    context.configure(
        connection=connection,
        target_metadata=metadata,
        transaction_per_migration=True,
        **autogenerate(),
    )
    migration = context.get_context()
    command = command_name(config)
    recorder = Recorder(
        connection.engine.url.database or "(default)", say if command in RUNNING else _silent
    )
    script = ScriptDirectory.from_config(config)
    _record(migration, script, recorder)
    try:
        with context.begin_transaction():
            context.run_migrations()
    except Exception as error:
        failed = _failure(error, recorder, script, command)
        if failed is None:
            raise
        raise failed from error
    if connection.in_transaction():
        # `ensure_version` makes its table outside of any revision's transaction.
        connection.commit()
    config.attributes["report"] = recorder.report()
    if command in RUNNING:
        recorder.end(script.get_heads())
    elif command == "current" and set(recorder.before) != set(script.get_heads()):
        at = ", ".join(recorder.before) or "base: it was never migrated"
        say(f"{recorder.database} is at {at}. Next: alembic upgrade head")


def _offline(metadata: MetaData) -> None:
    context.configure(
        url=DIALECT_URL,
        target_metadata=metadata,
        literal_binds=True,
        transaction_per_migration=True,
    )
    with context.begin_transaction():
        context.run_migrations()


def _record(migration: MigrationContext, script: ScriptDirectory, recorder: Recorder) -> None:
    """Let the recorder see each step as it starts and as it is committed."""
    # Alembic has a callback after a step and none before the first or around a failure.
    plan_steps = migration._migrations_fn
    if plan_steps is None:
        return

    def steps(heads: tuple[str, ...], ctx: MigrationContext) -> Iterator[RevisionStep]:
        unknown = sorted(head for head in heads if not _known(script, head))
        if unknown:
            expected = ", ".join(script.get_heads()) or "base"
            raise DatabaseAhead(recorder.database, ", ".join(unknown), expected)
        planned: list[RevisionStep] = list(plan_steps(heads, ctx))
        plan = [_planned(step.info, step.doc) for step in planned]
        recorder.begin(tuple(heads), plan)
        for step, about in zip(planned, plan, strict=True):
            recorder.start(about)
            yield step
            recorder.done()

    migration._migrations_fn = steps


def _planned(info: MigrationInfo, doc: str | None) -> Planned:
    direction = "stamp" if info.is_stamp else "upgrade" if info.is_upgrade else "downgrade"
    named = info.destination_revision_ids if info.is_stamp else info.up_revision_ids
    return Planned(
        ", ".join(named) or "base",
        (doc or "").strip().rstrip("."),
        direction,
        info.source_revision_ids,
        info.destination_revision_ids,
    )


def _known(script: ScriptDirectory, revision: str) -> bool:
    try:
        return script.get_revision(revision) is not None
    except CommandError:
        return False


def _failure(
    error: Exception, recorder: Recorder, script: ScriptDirectory, command: str | None
) -> VegafsError | None:
    """What stopped a revision, or None where none was running."""
    running = recorder.running
    if running is None or isinstance(error, VegafsError):
        return None
    reason = describe(error)
    state = sqlstate(error)
    if state is not None:
        reason = f"{reason} (SQLSTATE {state})"
    elif not isinstance(error, CommandError):
        reason = f"{type(error).__name__}: {reason}"
    place = _place(error, Path(script.versions))
    if place:
        reason = f"{place}: {reason}"
    verb = running.direction if command is None else command
    return UpgradeFailed(
        running.revision, reason, [step.revision for step in recorder.steps], f"alembic {verb}"
    )


def _place(error: BaseException, versions: Path) -> str | None:
    """The last line of a revision file that the error came through."""
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        path = Path(frame.filename)
        if path.parent == versions.resolve():
            return f"{os.path.relpath(path)}:{frame.lineno}"
    return None


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
