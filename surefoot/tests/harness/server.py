"""The server that a test run uses: one of its own that goes with it, or one that is named.

Its own is started by the worker that needs it first and shared by all: the launcher sees to
that, and ends it after the last worker's death, of whatever cause.
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

OURS = ("VEGAFS_TEST_DATABASE_URL", "VEGAFS_TEST_PG_MAJOR")
ROOT = Path(__file__).resolve().parents[3]
# The PostgreSQL of a server of ours.
PG_MAJOR = int(os.environ.get("VEGAFS_TEST_PG_MAJOR", "18"))
MEMORY = Path("/dev/shm")
ENOUGH_BYTES = 1 << 30
KEEP_AFTER_FAILURE_S = 600.0
# Two checkouts do not sweep each other's servers away.
CHECKOUT = hashlib.sha256(os.fsencode(ROOT)).hexdigest()[:6]
PREFIX = f"vegafs-tests-{CHECKOUT}-"
FOLDER_PREFIX = f"vegafs-folder-{CHECKOUT}-"


@dataclass(frozen=True)
class Server:
    """Where databases are made: a URL of one of its databases to do that from."""

    url: str
    embedded: EmbeddedServer | None = None

    @property
    def is_ours(self) -> bool:
        return self.embedded is not None

    @property
    def keeps(self) -> str:
        """How long a failed test's database can be looked at."""
        if self.embedded is None:
            return "kept until you drop it"
        if "CI" in os.environ:
            return "gone with the run"
        return f"kept for {KEEP_AFTER_FAILURE_S / 60:.0f} minutes or until the next run"

    def url_of(self, database: str) -> str:
        """The URL of another of its databases."""
        return re.sub(r"^(\w+(?:\+\w+)?://[^/?]*)(?:/[^?]*)?", rf"\1/{database}", self.url)

    def keep(self) -> None:
        """Stay up after the run, for a look at what a failed test left."""
        if self.embedded is not None and "CI" not in os.environ:
            self.embedded.place.pin(KEEP_AFTER_FAILURE_S)


def own_server(run_id: str, major: int) -> EmbeddedServer:
    """The throw-away server of one test run, in memory where there is room."""
    return EmbeddedServer(
        memory_folder() / f"{PREFIX}{run_id[:8]}",
        major=major,
        durable=False,
        remove_at_end=True,
        database="postgres",
        options={"max_connections": "200", "max_wal_size": "256MB"},
    )


def forget_configuration() -> None:
    """A developer's own configuration must not reach the tests, nor the processes they start."""
    for name in list(os.environ):
        if name.startswith(("VEGAFS_", "DATABASE_URL", "PG")) and name not in OURS:
            del os.environ[name]
    os.environ["VEGAFS_ENV_FILE"] = os.devnull
    os.environ["VEGAFS_SECRETS_DIR"] = str(Path(__file__).parent)  # there are none in it
    # A process that would start the developer's own server fails instead.
    os.environ["VEGAFS_STATE_DIR"] = f"{os.devnull}/vegafs"


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
    """Remove what earlier runs kept for a look, or left when they were killed."""
    for left in memory_folder().glob(f"{FOLDER_PREFIX}*"):
        if not Path(f"/proc/{left.name.split('-')[3]}").exists():
            shutil.rmtree(left, ignore_errors=True)
    for folder in memory_folder().glob(f"{PREFIX}*"):
        server = EmbeddedServer(folder)
        try:
            server.stop()
        except ServerInUse:
            continue
        server.place.remove()


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """A folder in memory for one test; its name has the process that will remove it."""
    prefix = f"{FOLDER_PREFIX}{os.getpid()}-"
    with tempfile.TemporaryDirectory(prefix=prefix, dir=memory_folder()) as made:
        yield Path(made)


def memory_folder() -> Path:
    """Where databases for tests are made: in memory where there is room."""
    usable = MEMORY.is_dir() and os.access(MEMORY, os.W_OK)
    if usable and shutil.disk_usage(MEMORY).free > ENOUGH_BYTES:
        return MEMORY
    return Path(tempfile.gettempdir())
