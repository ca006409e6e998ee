"""A database and the models in, revisions run. What happens to them is decided in app.migrate.

What only a run needs is imported once the first look has found something for it to do.
"""

import gc
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache, partial
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from alembic import context

from app.settings import load_settings
from surefoot.connect.driver import connect_arguments, connect_to_migrate, database_url, shown
from surefoot.environment import fast_path as look
from surefoot.environment.commandline import not_importable

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

if context.config.cmd_opts is not None:
    # `alembic …` is a process that ends by itself and keeps nearly all that it makes: looking for
    # garbage less often saves it a tenth of its time.
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)

settings = cache(load_settings)


def way() -> look.Way | None:
    """To the database that the settings name, without an engine."""
    if settings().database_url is None and settings().migrate_database_url is None:
        return None
    url = database_url(settings(), "migrate")
    arguments = connect_arguments(settings(), "migrate", url)
    return look.Way(shown(url), partial(connect_to_migrate, **arguments))


@contextmanager
def engine() -> Iterator["AsyncEngine"]:
    """The engine to migrate with, where the caller brings no connection."""
    if settings().database_url is not None or settings().migrate_database_url is not None:
        yield create_engine(settings(), "migrate")
        return
    from surefoot.embedded import database  # noqa: PLC0415 - for whoever has no database

    with database(settings()) as named:
        yield create_engine(named, "migrate")


def autogenerate() -> Mapping[str, Any]:
    """What compares the models with a database, for the commands that do."""
    from surefoot.autogenerate import configure_options  # noqa: PLC0415

    return configure_options()


def review(versions: Path) -> None:
    """Look for what would hurt in what was written, where there is something to try it on."""
    from surefoot.embedded.scratch import scratch  # noqa: PLC0415 - where a revision is written
    from surefoot.lint.verdicts import review as look_at  # noqa: PLC0415 - as above

    look_at(versions, partial(scratch, settings()))


def limits() -> "Limits":
    """How long a run may wait, by the settings."""
    return Limits(
        mutex_wait_s=settings().migrate_mutex_wait_s,
        lock_timeout_s=settings().migrate_lock_timeout_s,
        patient_lock_timeout_s=settings().migrate_patient_lock_timeout_s,
        lock_budget_s=settings().migrate_lock_budget_s,
        services_wait_s=settings().migrate_services_wait_s,
        backup_command=settings().migrate_backup_command,
        backup_waived=settings().migrate_backup_waived,
        lint=settings().migrate_lint,
        production=settings().environment == "production",
        build=version("vegafs"),
    )


if not look.at_head(context.config, Path(context.script.versions), way):
    try:
        from app.db.engine import create_engine
        from app.db.models import metadata
        from surefoot.environment import environment
        from surefoot.run.limits import Limits
    except ImportError as error:
        not_importable(context.config, error)
    environment.run(metadata, engine, autogenerate, limits, review)
