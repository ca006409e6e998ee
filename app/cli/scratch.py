"""A database to try things on: VEGAFS_SCRATCH_URL, or a throw-away server of our own."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pydantic import SecretStr

from app.db.embedded import EmbeddedServer
from app.settings import Settings

MEMORY = Path("/dev/shm")  # noqa: S108 - a folder of our own is made in it


@contextmanager
def scratch(settings: Settings) -> Iterator[Settings]:
    """Settings that name an empty database, which is gone after the block.

    On failure: ServerBinariesMissing, ServerStartFailed.
    """
    if settings.scratch_url is not None:
        yield settings.model_copy(update={"database_url": settings.scratch_url})
        return
    parent = MEMORY if MEMORY.is_dir() else None
    with tempfile.TemporaryDirectory(prefix="vegafs-scratch-", dir=parent) as folder:
        server = EmbeddedServer(
            Path(folder) / "server", bindir=settings.pg_bindir, durable=False, remove_at_end=True
        )
        with server.use() as running:
            yield settings.model_copy(update={"database_url": SecretStr(running.url())})
