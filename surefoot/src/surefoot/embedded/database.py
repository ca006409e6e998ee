"""database() is the settings' database, or the embedded one where they name none."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from surefoot.embedded.server import EmbeddedServer
from surefoot.errors import DatabaseUrlMissing

if TYPE_CHECKING:
    from app.settings import Settings


@contextmanager
def database(
    settings: Settings, *, narrate: Callable[[str], None] | None = None
) -> Iterator[Settings]:
    """Settings that name a database: unchanged, or with the URL of the embedded server.

    The embedded server is started when need be and runs at least until the block ends.
    `narrate` is told when a start takes place. It takes a moment and does not await; enter it
    before an event loop runs where you can.

    On failure: DatabaseUrlMissing, ServerBinariesMissing, ServerStartFailed.
    """
    if settings.database_url is not None:
        yield settings
        return
    from pydantic import SecretStr  # noqa: PLC0415 - the supervisor imports this package without it

    with development_server(settings, narrate=narrate).use() as running:
        yield settings.model_copy(update={"database_url": SecretStr(running.url())})


def development_server(
    settings: Settings, *, narrate: Callable[[str], None] | None = None
) -> EmbeddedServer:
    """The embedded server of this project, running or not.

    On failure: DatabaseUrlMissing in production, which has a database of its own.
    """
    if settings.environment == "production":
        raise DatabaseUrlMissing("the embedded server is for development only")
    return EmbeddedServer(settings.state_dir, bindir=settings.pg_bindir, narrate=narrate)
