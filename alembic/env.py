"""A database and the models in, revisions run. What happens to them is decided in app.migrate."""

from collections.abc import Iterator
from contextlib import contextmanager

from alembic import context

try:
    from sqlalchemy.ext.asyncio import AsyncEngine

    from app.db.embedded import database
    from app.db.engine import create_engine
    from app.db.models import metadata
    from app.migrate.review import autogenerate
    from app.migrate.run import environment
    from app.settings import load_settings
except ImportError as error:
    from app.errors import ModelsNotImportable
    from app.migrate.run.commandline import rendered

    with rendered(context.config):
        raise ModelsNotImportable(str(error)) from error


@contextmanager
def engine() -> Iterator[AsyncEngine]:
    """The engine to migrate with, where the caller brings no connection."""
    with database(load_settings()) as settings:
        yield create_engine(settings, "migrate")


environment.run(metadata, engine, autogenerate.configure_options)
