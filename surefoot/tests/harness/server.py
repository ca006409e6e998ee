"""The PostgreSQL server of a test run: a throw-away one, or the one of SUREFOOT_TEST_DATABASE_URL.

The first worker that needs the throw-away server starts it, and all workers share it. Its
supervisor stops it after the last worker has ended, whatever the cause.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from surefoot.embedded import EmbeddedServer
from surefoot.errors import ServerInUse

LIBRARY = Path(__file__).resolve().parents[2]
# The project whose chain the template database has.
SAMPLE = LIBRARY / "tests" / "sample"
# The PostgreSQL of a throw-away server, and its superuser: tests replace the name in URLs.
PG_MAJOR = int(os.environ.get("SUREFOOT_TEST_PG_MAJOR", "18"))
ROLE = "tester"
MEMORY = Path("/dev/shm")
ENOUGH_BYTES = 1 << 30
KEEP_AFTER_FAILURE_S = 600.0
# A run removes the servers of its own checkout only.
CHECKOUT = hashlib.sha256(os.fsencode(LIBRARY)).hexdigest()[:6]
PREFIX = f"surefoot-tests-{CHECKOUT}-"
FOLDER_PREFIX = f"surefoot-folder-{CHECKOUT}-"


@dataclass(frozen=True)
class Server:
    """A server for test databases, and the URL of the database to create them from."""

    url: str
    embedded: EmbeddedServer | None = None

    @property
    def is_ours(self) -> bool:
        return self.embedded is not None

    @property
    def keeps(self) -> str:
        """How long the database of a failed test is kept."""
        if self.embedded is None:
            return "kept until you drop it"
        if "CI" in os.environ:
            return "gone with the run"
        return f"kept for {KEEP_AFTER_FAILURE_S / 60:.0f} minutes or until the next run"

    def url_of(self, database: str) -> str:
        """The URL of another of its databases."""
        return re.sub(r"^(\w+(?:\+\w+)?://[^/?]*)(?:/[^?]*)?", rf"\1/{database}", self.url)

    def keep(self) -> None:
        """Stay up after the run, so that the database of a failed test can be inspected."""
        if self.embedded is not None and "CI" not in os.environ:
            self.embedded.folder.pin(KEEP_AFTER_FAILURE_S)


def own_server(run_id: str, major: int) -> EmbeddedServer:
    """The throw-away server of one test run, in memory where there is room."""
    return EmbeddedServer(
        memory_folder() / f"{PREFIX}{run_id[:8]}",
        major=major,
        durable=False,
        remove_at_end=True,
        user=ROLE,
        database="postgres",
        options={"max_connections": "200", "max_wal_size": "256MB"},
    )


def forget_configuration() -> None:
    """Hide the developer's own configuration from the tests and the processes that they start."""
    for name in list(os.environ):
        if name.startswith(("DATABASE_URL", "PG")):
            del os.environ[name]
    # No folder can be made there, so that no scratch server outlives its test.
    os.environ["XDG_CACHE_HOME"] = os.devnull


@contextmanager
def use(external_url: str | None, run_id: str, major: int) -> Iterator[Server]:
    """The named server, or the run's own for as long as the block lasts."""
    if external_url:
        yield Server(external_url)
        return
    embedded = own_server(run_id, major)
    with embedded.use() as running:
        yield Server(running.url("postgres"), embedded)


def sweep() -> None:
    """Remove the servers that earlier runs kept, or left when they were killed."""
    for left in memory_folder().glob(f"{FOLDER_PREFIX}*"):
        if not Path(f"/proc/{left.name.split('-')[3]}").exists():
            shutil.rmtree(left, ignore_errors=True)
    for folder in memory_folder().glob(f"{PREFIX}*"):
        server = EmbeddedServer(folder)
        try:
            server.stop()
        except ServerInUse:
            continue
        server.folder.remove()


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """A folder in memory for one test; its name has the id of the process that removes it."""
    prefix = f"{FOLDER_PREFIX}{os.getpid()}-"
    with tempfile.TemporaryDirectory(
        prefix=prefix, dir=memory_folder(), ignore_cleanup_errors=True
    ) as made:
        yield Path(made)
    # A process of a server that has ended may have written a last file meanwhile.
    if Path(made).exists():
        shutil.rmtree(made)


def memory_folder() -> Path:
    """The parent of the folders of test servers: in memory where there is room."""
    usable = MEMORY.is_dir() and os.access(MEMORY, os.W_OK)
    if usable and shutil.disk_usage(MEMORY).free > ENOUGH_BYTES:
        return MEMORY
    return Path(tempfile.gettempdir())
