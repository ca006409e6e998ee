"""create_engine is the one place where VēgaFS makes an engine; service and migrations share it.

    settings -> database() -> create_engine(settings, role) -> AsyncEngine
                      '--> migration_database() -> alembic/env.py, `vegafs plan`, …

The roles are those of surefoot.Database: app, watch, migrate, observe.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from typing import TYPE_CHECKING

from pydantic import SecretStr

from app import ALEMBIC_INI
from app.settings import Settings, load_settings
from surefoot import Database, Limits, Project

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

    from surefoot.connect import Role

PROJECT = Project.read(ALEMBIC_INI)


def create_engine(settings: Settings, role: Role) -> AsyncEngine:
    """An engine on the settings' database. Nothing connects before its first use.

    On failure: DatabaseUrlMissing, DatabaseUrlInvalid.
    """
    return database(settings).engine(role)


def database(settings: Settings) -> Database:
    """The database that the settings name, or the embedded one of a development machine."""
    return Database(
        url=_text(settings.database_url),
        migrate_url=_text(settings.migrate_database_url),
        scratch_url=_text(settings.scratch_url),
        name="vegafs",
        limits=limits(settings),
        connect_timeout_s=settings.connect_timeout_s,
        pool_size=settings.pool_size,
        pool_max_overflow=settings.pool_max_overflow,
        pool_timeout_s=settings.pool_timeout_s,
        embedded=settings.state_dir,
        pg_bindir=settings.pg_bindir,
    )


@contextmanager
def available(
    settings: Settings, *, narrate: Callable[[str], None] | None = None
) -> Iterator[Settings]:
    """Settings that name a database: the same, or with the URL of the embedded server.

    That runs at least until the block ends; see `Database.available`.
    """
    if settings.database_url is not None:
        yield settings
        return
    with database(settings).available(narrate) as named:
        yield settings.model_copy(update={"database_url": SecretStr(named.url or "")})


def migration_database() -> Database:
    """The database for Alembic and for `vegafs plan`, `drift`, …, by the settings in force."""
    return database(load_settings())


def targets() -> Mapping[str, str]:
    """The databases that `--target NAME` may name."""
    return {name: url.get_secret_value() for name, url in load_settings().targets.items()}


def limits(settings: Settings) -> Limits:
    """The bounds of a migration run."""
    return Limits(
        mutex_wait_s=settings.migrate_mutex_wait_s,
        lock_timeout_s=settings.migrate_lock_timeout_s,
        patient_lock_timeout_s=settings.migrate_patient_lock_timeout_s,
        lock_budget_s=settings.migrate_lock_budget_s,
        idle_in_transaction_timeout_s=settings.migrate_idle_in_transaction_timeout_s,
        services_wait_s=settings.migrate_services_wait_s,
        statement_timeout_s=settings.migrate_statement_timeout_s,
        backup_command=settings.migrate_backup_command,
        backup_waived=settings.migrate_backup_waived,
        lint=settings.migrate_lint,
        production=settings.environment == "production",
        build=version("vegafs"),
    )


def _text(secret: SecretStr | None) -> str | None:
    return None if secret is None else secret.get_secret_value()
