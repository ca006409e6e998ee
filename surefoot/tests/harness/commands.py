"""Alembic and psql as a person runs them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from harness.databases import Database
from harness.forks import Forks, Result, forks
from harness.server import SAMPLE
from surefoot.catalog import Catalog, snapshot
from surefoot.embedded.binaries import find_binaries


def run_alembic(
    *arguments: str,
    url: str | None,
    cwd: Path = SAMPLE,
    env: Mapping[str, str] | None = None,
    forked_by: Callable[[], Forks] = forks,
) -> Result:
    """`alembic …` as a process. A DATABASE_URL of None is unset.

    It is forked from one that has done its imports, unless a PYTHONPATH asks for others.
    """
    wanted = {**(env or {}), **({} if url is None else {"DATABASE_URL": url})}
    if "PYTHONPATH" not in wanted:
        return forked_by().start("alembic", *arguments, env=wanted, cwd=cwd).wait()
    done = subprocess.run(
        [str(Path(sys.executable).with_name("alembic")), *arguments],
        cwd=cwd,
        env={**os.environ, **wanted},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return Result(done.returncode, done.stdout, done.stderr)


def psql(database: Database, script: str) -> None:
    """Run a script as psql does, stopping at the first error."""
    done = _psql(database, script)
    assert done.returncode == 0, done.stderr


def psql_refused(database: Database, script: str) -> str:
    """Run a script that ends with an error; the error."""
    done = _psql(database, script)
    assert done.returncode == 3, done.stderr
    return done.stderr


def _psql(database: Database, script: str) -> subprocess.CompletedProcess[str]:
    found = find_binaries(None)
    assert found is not None
    return subprocess.run(
        [str(found.bindir / "psql"), "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", database.url],
        input=script,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


async def snapshot_of(database: Database, *, privileges: bool = False) -> Catalog:
    """The catalog of a test's database."""
    engine = database.access.engine("observe")
    async with engine.connect() as connection:
        found = await connection.run_sync(partial(snapshot, privileges=privileges))
    await engine.dispose()
    return found
