"""A Project is a folder of revisions with an environment to run them: the stock one or this one's.

    stock(folder)   what `alembic init -t async` writes, made by Alembic's own machinery
    ours(folder)    an env.py with Surefoot's Environment

Both get revision files of one shape, and both run as `python -m alembic` in processes of their own.
"""

from __future__ import annotations

import compileall
import contextlib
import io
import os
import resource
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg
from alembic import command
from alembic.config import Config

from surefoot.chain.lockfile import write_lock
from surefoot.chain.revisions import read_revisions
from surefoot.embedded import EmbeddedServer, Running

ROOT = Path(__file__).resolve().parent.parent
MEMORY = Path("/dev/shm")
# No folder can be made there, so that no scratch server is kept.
os.environ["XDG_CACHE_HOME"] = os.devnull
# As pip leaves what it installs, and an upgrade the files that it has imported.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
INI = "[alembic]\nscript_location = %(here)s/alembic\nprepend_sys_path = .\n"
# As the README writes it: a look at the database imports no models.
ENV = """\
from surefoot import Environment

Environment(metadata="env_models:metadata", database="env_database:database").run()
"""
DATABASE = """\
import os

from surefoot import Database, Limits

timeout_s = float(os.environ.get("LOCK_TIMEOUT_S", Limits.lock_timeout_s))
database = Database(os.environ["DATABASE_URL"], limits=Limits(lock_timeout_s=timeout_s))
"""
MODELS = """\
from sqlalchemy import MetaData

metadata = MetaData()
"""
# The library's command, as the script that is installed.
SUREFOOT = "from surefoot.cli import main; main()"
# The limit of a process that works; a hang ends here.
PATIENCE_S = 300.0


@dataclass(frozen=True)
class Took:
    """The cost and the output of a process."""

    wall_s: float
    # Its own, without the server's.
    cpu_s: float
    code: int
    said: str


@dataclass(frozen=True)
class Project:
    """A folder in which `alembic` is run."""

    name: str
    folder: Path

    @property
    def versions(self) -> Path:
        return self.folder / "alembic" / "versions"

    @property
    def is_ours(self) -> bool:
        return (self.versions.parent / "revisions.lock").exists()

    def write(self, bodies: Sequence[str]) -> None:
        """One revision for each body of an `upgrade()`, in place of those that there are."""
        for path in self.versions.glob("*.py"):
            path.unlink()
        down = None
        for number, body in enumerate(bodies, start=1):
            identifier = f"{number:04}"
            (self.versions / f"{identifier}_step.py").write_text(
                f'"""Step {number}."""\n\n'
                "import sqlalchemy as sa\nfrom alembic import op\n\n"
                f"revision = {identifier!r}\ndown_revision = {down!r}\nphase = 'expand'\n\n\n"
                f"def upgrade() -> None:\n{textwrap.indent(textwrap.dedent(body).strip(), '    ')}"
                "\n\n\ndef downgrade() -> None:\n    pass\n",
                "utf-8",
            )
            down = identifier
        if self.is_ours:
            write_lock(self.versions.parent / "revisions.lock", read_revisions(self.versions))

    def alembic(self, *arguments: str, url: str, **environment: str) -> Took:
        """One process of `alembic`, from its start to its end."""
        return self.python("-m", "alembic", *arguments, url=url, **environment)

    def python(self, *arguments: str, url: str, **environment: str) -> Took:
        """One process of Python."""
        env = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "DATABASE_URL": url, **environment}
        if not self.is_ours:
            ini = self.folder / "alembic.ini"
            lines = ini.read_text("utf-8").splitlines()
            setting = "sqlalchemy.url = " + url.replace("://", "+asyncpg://").replace("%", "%%")
            changed = [setting if line.startswith("sqlalchemy.url") else line for line in lines]
            ini.write_text("\n".join(changed) + "\n", "utf-8")
        before, started_s = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=self.folder,
            env=env,
            timeout=PATIENCE_S,
            capture_output=True,
            text=True,
            check=False,
        )
        wall_s, after = (
            time.perf_counter() - started_s,
            resource.getrusage(resource.RUSAGE_CHILDREN),
        )
        cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        return Took(wall_s, cpu_s, done.returncode, done.stdout + done.stderr)


def stock(folder: Path) -> Project:
    """An ordinary project on Alembic's async template, not a line of which is changed."""
    folder.mkdir(parents=True)
    with contextlib.redirect_stdout(io.StringIO()):
        config = Config(str(folder / "alembic.ini"))
        command.init(config, str(folder / "alembic"), template="async")
    return Project("stock", folder)


def ours(folder: Path) -> Project:
    """A project on Surefoot's environment."""
    # As pip does with each package that it installs, those of the stock project among them.
    compileall.compile_dir(ROOT / "src", quiet=1)
    (folder / "alembic" / "versions").mkdir(parents=True)
    (folder / "alembic.ini").write_text(INI, "utf-8")
    (folder / "alembic" / "env.py").write_text(ENV, "utf-8")
    (folder / "env_database.py").write_text(DATABASE, "utf-8")
    (folder / "env_models.py").write_text(MODELS, "utf-8")
    (folder / "alembic" / "revisions.lock").touch()
    return Project("this project", folder)


@contextmanager
def server(folder: Path, *, durable: bool = False, **options: str) -> Iterator[Running]:
    """A PostgreSQL of its own for the block."""
    embedded = EmbeddedServer(
        folder / "server", durable=durable, remove_at_end=True, options=options
    )
    with embedded.use() as running:
        yield running


async def fresh(running: Running, name: str, template: str = "template0") -> str:
    """An empty database, or a copy of `template`, in the place of one of that name; its URL."""
    connection = await asyncpg.connect(running.url("postgres"))
    try:
        await connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        await connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
    finally:
        await connection.close()
    return running.url(name)
