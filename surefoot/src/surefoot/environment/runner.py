"""Runs an Alembic command that has something to do.

    `alembic …`            Environment.run -> asyncio.run -> the project's engine -+
    await upgrade(target)  Environment.run -> the connection that was handed in ---+-> Online
    `alembic … --sql`      Environment.run, no database

Commands that write (upgrade, downgrade, stamp) go through surefoot.run.upgrade.migration; those
that look take no mutex and write nothing. The run narrates on stderr and leaves a Report in
`config.attributes["report"]`.

On failure: UpgradeFailed names the revision, the place in its file and what was applied.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from alembic import context
from alembic.config import Config
from alembic.script import ScriptDirectory, write_hooks
from alembic.util.exc import CommandError, DatabaseNotAtHead
from sqlalchemy import Connection

from surefoot.compat import alembic as compat
from surefoot.compat.alembic import command_name
from surefoot.compat.sqlalchemy import await_only, greenlet_spawn, in_greenlet
from surefoot.connect.database import bind, refuse_other_drivers
from surefoot.connect.failures import explained
from surefoot.connect.limits import Limits
from surefoot.environment import fast_path, late_files, options, place
from surefoot.environment.commandline import in_words, quiet_close, say
from surefoot.environment.composition import applied, compared, shared, written
from surefoot.errors import (
    FileNotWritable,
    LoopAlreadyRunning,
    ModelsDiffer,
    TransactionAlreadyOpen,
)
from surefoot.frozen import dataclass
from surefoot.ledger.glance import heads_of, read
from surefoot.project import Project
from surefoot.run.events import Listen, ignore
from surefoot.run.interruption import Interruption
from surefoot.run.recorder import Recorder
from surefoot.run.run import Run
from surefoot.run.telling import kept_estimates, telling
from surefoot.run.upgrade.migration import Migration
from surefoot.run.upgrade.psycopg import Psycopg
from surefoot.run.upgrade.steps import Function, kind_of, only_upgrading, recorded

if TYPE_CHECKING:
    from surefoot.environment.environment import Environment

WRITING = ("upgrade", "downgrade", "stamp")
# A URL without a server: enough for a dialect. asyncpg's leaves `%` in SQL as it is.
DIALECT_URL = "postgresql+asyncpg://"


def run(environment: Environment, project: Project) -> None:
    """Do what the Alembic command asks for. On failure: ConfigurationInvalid, among others."""
    options.refuse(environment.options)
    writes = command_name(context.config) in ("revision", "merge")
    if writes and not any(os.access(_existing(each), os.W_OK) for each in project.locations):
        # Alembic writes the file after env.py has run.
        named = ", ".join(map(str, project.locations))
        raise FileNotWritable(named, "the file system, or its mode, forbids it")
    if "destination" not in context.config.attributes:
        # Else a run on a scratch database, while a hook works, would take the place of that hook.
        _register_hook(environment, project)
    compat.install()
    config, given = context.config, shared(environment, project)
    if not writes:
        late_files.put_off(context.script, project)
    if context.is_offline_mode():
        _write_sql(environment, project, given)
    elif writes and not getattr(config.cmd_opts, "autogenerate", False):
        # A file with an empty body needs no database.
        context.script.get_heads()  # an error of a file is a sentence here, and not afterwards
        context.configure(url=DIALECT_URL, as_sql=True, **given, **compared(environment, project))
        context.run_migrations()
    else:
        online = Online(environment, project, given, _limits(environment, config))
        if (connection := config.attributes.get("connection")) is not None:
            refuse_other_drivers(connection, 'Config.attributes["connection"]')
            online.on(connection)
        elif in_greenlet():
            await_only(_connect(online, signals=False))
        elif fast_path.loop_is_running():
            raise LoopAlreadyRunning
        else:
            asyncio.run(_connect(online, signals=True))


def _existing(folder: Path) -> Path:
    """The folder, or the nearest one above it that exists: Alembic creates it there."""
    return next(each for each in (folder, *folder.parents) if each.exists())


def _register_hook(environment: Environment, project: Project) -> None:
    """Make the post-write hook known that an ini file names `surefoot`."""
    config = context.config

    @write_hooks.register("surefoot")
    def hook(path: str, _options: object) -> None:
        # Alembic calls it after env.py has run.
        from surefoot.environment.after_revision import after_revision  # noqa: PLC0415 - as above

        after_revision(path, config, environment, project)


def _write_sql(environment: Environment, project: Project, given: Mapping[str, Any]) -> None:
    """Write the SQL of a command. On failure: the errors of OfflineScript."""
    from surefoot.run.upgrade.offline import OfflineScript  # noqa: PLC0415 - for `--sql` alone

    given = {"url": DIALECT_URL, **given, **written(environment)}
    context.configure(**given)
    opts = context.get_context().opts
    function, script = opts["fn"], opts["script"]
    named = command_name(context.config), getattr(context.config.cmd_opts, "revision", None)
    typed = " ".join(["alembic", *filter(None, named), "--sql"])
    limits = _limits(environment, context.config)
    offline = OfflineScript(project, kind_of(function), typed, limits)
    context.configure(
        fn=offline.steps(function, script),
        on_version_apply=applied(environment, offline.on_version_apply),  # type: ignore[arg-type]  # several
        migration=offline,
        **given,
    )
    with context.begin_transaction():
        context.run_migrations()


def _limits(environment: Environment, config: Config) -> Limits:
    """The caller's bounds, or the project's."""
    bounds: Limits = config.attributes.get("limits") or environment.resolved_limits()
    wait_s = config.attributes.get("services_wait_s")
    return bounds if wait_s is None else replace(bounds, services_wait_s=wait_s)


async def _connect(online: Online, *, signals: bool) -> None:
    config, environment = context.config, online.environment
    with environment.opened_engine() as opened, explained(opened.url), quiet_close():
        interruption = config.attributes["interruption"] = Interruption(opened)
        handled: AbstractContextManager[None] = nullcontext()
        if signals:
            reads = command_name(config) not in (None, *WRITING)
            handled = interruption.cancelling() if reads else interruption.on_signals()
        with handled:
            try:
                async with interruption.connected() as connection:
                    if environment.engine is not None:
                        await greenlet_spawn(bind, connection, online.limits)
                    await greenlet_spawn(online.on, connection)
            finally:
                await interruption.end()


@dataclass(frozen=True)
class Online:
    """One command on one connection."""

    environment: Environment
    project: Project
    shared: Mapping[str, Any]
    limits: Limits

    def on(self, connection: Connection) -> None:
        """Run it. On failure: TransactionAlreadyOpen, and whatever the command meets."""
        if connection.in_transaction():
            raise TransactionAlreadyOpen
        context.configure(connection=connection, **self.shared)
        # The one of the command, which may have read the revisions already.
        script: ScriptDirectory = context.get_context().opts["script"]
        function: Function = context.get_context().opts["fn"]
        kind = kind_of(function)
        if kind == "unknown":
            kind, function = "upgrade", only_upgrading(function)
        if kind == "reads":
            self._read(connection, script, function)
        else:
            self._write(connection, script, kind, function)

    def _read(self, connection: Connection, script: ScriptDirectory, function: Function) -> None:
        command = command_name(context.config)
        recorder = Recorder(_name(connection), ignore)
        # Alembic would take what it cannot read for base.
        heads_of(connection, self.project.version_table)
        connection.rollback()
        compares = function.__qualname__.startswith(("check.", "revision."))
        context.configure(
            connection=connection,
            fn=recorded(function, script, recorder, None),
            # Alembic would create the version table where there is none.
            **(compat.WRITES_NOTHING if compares else {}),
            **self.shared,
            **compared(self.environment, self.project),
        )
        try:
            with context.begin_transaction():
                context.run_migrations()
        except CommandError as error:
            heads = context.get_context().get_current_heads()
            wants_head = isinstance(error, DatabaseNotAtHead) or compares
            if wants_head and not place.is_at_head(script, heads):
                found = read(connection, self.project.version_table)
                raise place.behind(
                    recorder.database, script, found, self.project.version_table
                ) from error
            raise
        if command == "check":
            _refuse_differences()
        if connection.in_transaction():
            # `ensure_version` makes its table outside of any revision's transaction.
            connection.commit()
        if command == "current":
            found = read(connection, self.project.version_table)
            connection.rollback()
            table = self.project.version_table
            if said := place.summary(recorder.database, script, found, table):
                say(said)

    def _write(
        self, connection: Connection, script: ScriptDirectory, command: str, function: Function
    ) -> None:
        config = context.config
        listen = config.attributes.get("listen")
        if listen is not None or not command_name(config):
            self._told(connection, script, command, function, listen or ignore)
            return
        with telling(say, lambda: kept_estimates(self.project, connection.engine.url)) as listen:
            self._told(connection, script, command, function, listen)

    def _told(
        self,
        connection: Connection,
        script: ScriptDirectory,
        command: str,
        function: Function,
        listen: Listen,
    ) -> None:
        config = context.config
        given, recorder = config.attributes, Recorder(_name(connection), listen)
        migration = Migration(
            Run(
                connection,
                self.project,
                command,
                given.get("destination") or getattr(config.cmd_opts, "revision", None),
                self.limits,
                recorder,
                given.get("interruption") or Interruption(connection.engine),
                given.get("reason"),
                bool(given.get("adopt")),
                bool(given.get("measure", True)),
                bool(given.get("together", True)),
                may_squash=self.environment.may_squash and bool(given.get("squash", True)),
                tell_losses=bool(given.get("tell_losses")),
            ),
            calls_back=self.environment.options.get("on_version_apply") is not None,
        )

        steps = recorded(function, script, recorder, migration)

        def attempt() -> None:
            context.configure(
                connection=connection,
                fn=steps,
                on_version_apply=applied(self.environment, migration.on_version_apply),  # type: ignore[arg-type]  # several
                migration=migration,
                **compat.WRITES_NOTHING,
                **self.shared,
            )
            # `--purge` empties the version table before it asks for the steps.
            connection.begin()
            with context.begin_transaction():
                context.run_migrations()

        try:
            with Psycopg(connection).spoken():
                migration.run(attempt)
        finally:
            given["report"] = recorder.report()


def _refuse_differences() -> None:
    """Say what `alembic check` found in words. On failure: ModelsDiffer."""
    generated = context.get_context().opts["revision_context"].generated_revisions[-1]
    differences = [diff for each in generated.upgrade_ops_list for diff in each.as_diffs()]
    if differences:
        raise ModelsDiffer([in_words(diff) for diff in differences])


def _name(connection: Connection) -> str:
    return connection.engine.url.database or "(default)"
