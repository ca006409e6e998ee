"""VēgaFS for tests: its folder, and its commands as processes."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from harness import commands
from harness.databases import Template
from harness.forks import Forks, Result
from harness.runs import Chain

ROOT = Path(__file__).resolve().parents[2]
TEMPLATE = Template(ROOT, ("alembic", "app/db/models"), "vegafs")
PROGRAMS = ("vegafs=app.cli:main", "app.db.models", "app.main", "uvicorn")


class ProjectChain(Chain):
    """Revisions that VēgaFS's environment runs."""

    project = ROOT


def forks_of(root: Path) -> Forks:
    """A server of forks for a copy of the project; the library is the one that is here."""
    return Forks(root, programs=PROGRAMS, paths=[root])


@cache
def forks() -> Forks:
    """The one of this process; `end_forks` ends it."""
    return forks_of(ROOT)


def end_forks() -> None:
    """End the one of this process, if there is one."""
    if forks.cache_info().currsize:
        forks().close()
        forks.cache_clear()


def run(program: str, *arguments: str, **environment: str) -> Result:
    """A command of the project, `alembic` or `vegafs`, to its end."""
    return forks().start(program, *arguments, env=environment).wait()


def run_alembic(
    *arguments: str, url: str | None, cwd: Path = ROOT, env: Mapping[str, str] | None = None
) -> Result:
    """`alembic …` in a folder of the project, as a process. A DATABASE_URL of None is unset."""
    return commands.run_alembic(*arguments, url=url, cwd=cwd, env=env, forked_by=forks)


def copy_to(folder: Path) -> Path:
    """A copy of the project in the folder, as a reader of the documents has it, without tests."""
    ignored = shutil.ignore_patterns("__pycache__", "tests")
    for name in ("app", "alembic", "surefoot"):
        shutil.copytree(ROOT / name, folder / name, ignore=ignored)
    for name in ("alembic.ini", "pyproject.toml"):
        shutil.copy(ROOT / name, folder)
    return folder


def paths_of(folder: Path) -> str:
    """The PYTHONPATH of its commands."""
    return os.pathsep.join((str(folder), str(folder / "surefoot" / "src")))


def forget_configuration() -> None:
    """Hide the developer's own settings from the tests and the processes that they start."""
    for name in [name for name in os.environ if name.startswith("VEGAFS_")]:
        del os.environ[name]
    os.environ["VEGAFS_ENV_FILE"] = os.devnull
    os.environ["VEGAFS_SECRETS_DIR"] = str(Path(__file__).parent)  # there are none in it
    # A process that would start the developer's own server fails instead.
    os.environ["VEGAFS_STATE_DIR"] = f"{os.devnull}/vegafs"
