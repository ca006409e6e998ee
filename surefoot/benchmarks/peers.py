"""Peer is another tool that judges a revision before it runs.

Each is installed in a Python environment of its own, from the index that pip is configured with.
It is asked as a pipeline asks it, by its exit code, at the strictest level at which it is silent
about a nullable column that is added. A case is a stock project in a folder of its own:

    alembic.ini alembic/env.py alembic/versions/base.py    for those that run Alembic
    alembic/versions/case_*.py                             the files of the case
    case.sql                                               its SQL, if Alembic can write it

Timeouts stand at the head of the SQL, because several peers ask for them in every file.
"""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import time
import venv
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

from alembic import command
from alembic.config import Config

PATIENCE_S = 60.0
BASE = "0000"
ENV = """\
from alembic import context

context.configure(dialect_name="postgresql", literal_binds=True)
with context.begin_transaction():
    context.run_migrations()
"""
INI = "[alembic]\nscript_location = %(here)s/alembic\nsqlalchemy.url = postgresql://nowhere\n"
TIMEOUTS = "SET lock_timeout = '1s';\nSET statement_timeout = '30min';\n"
_OF_EVERY_FILE = "prefer-robust-stmts,require-lock-timeout,require-statement-timeout"
SQUAWK = f"squawk --pg-version=18.0 --exclude={_OF_EVERY_FILE}"


@dataclass(frozen=True)
class Answer:
    """A peer's answer to a case: whether it finds something, or None with the reason."""

    found: bool | None
    reason: str = ""
    took_s: float = 0.0


@dataclass(frozen=True)
class Peer:
    """A distribution, and the shell command that asks it in the folder of a case."""

    package: str
    version: str
    command: str
    needs: Sequence[str] = ()

    def install(self, folder: Path) -> str | None:
        """Install it there; the reason where that fails."""
        home = folder / self.package
        venv.create(home, with_pip=True)
        python = str(home / "bin" / "python")
        wanted = [f"{self.package}=={self.version}", *self.needs]
        pip = [python, "-m", "pip", "install", "-q", *wanted]
        done = subprocess.run(pip, capture_output=True, text=True, check=False)
        return None if done.returncode == 0 else done.stderr.strip().splitlines()[-1]

    def ask(self, folder: Path, case: Path, url: str) -> Answer:
        """Its answer to the case in that folder; `url` is a database of the base."""
        if "case.sql" in self.command and not (case / "case.sql").exists():
            return Answer(None, "no SQL")
        since_s = time.perf_counter()
        path = f"{folder / self.package / 'bin'}:{os.environ['PATH']}"
        try:
            done = subprocess.run(
                ["sh", "-c", self.command],
                cwd=case,
                env={"PATH": path, "HOME": str(case), "DB_GUARDRAIL_DATABASE_URL": url},
                capture_output=True,
                text=True,
                timeout=PATIENCE_S,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return Answer(None, "crashed", PATIENCE_S)
        took_s = time.perf_counter() - since_s
        if done.returncode not in (0, 1) or "Traceback" in done.stderr:
            return Answer(None, "crashed", took_s)
        return Answer(done.returncode == 1, took_s=took_s)


PEERS = (
    Peer("squawk-cli", "2.70.0", f"{SQUAWK} case.sql"),
    Peer(
        "alembic-squawk",
        "0.2.1",
        f"alembic-squawk --revisions {BASE}:head --out-dir split || exit 2\n{SQUAWK} split/*.sql",
        ["alembic", "squawk-cli==2.70.0"],
    ),
    Peer(
        "localtools-postgres-migration-checker",
        "1.0.4",
        "localtools-postgres-migration-checker check case.sql --pg 18 --fail-on low",
    ),
    Peer("db-guardrail", "0.1.2", "db-guardrail analyze --no-save --fail-on-unsafe case.sql"),
    Peer("alembic-guard", "0.1.1", "alembic-guard --strict alembic/versions/case_*.py"),
    Peer("lockcheck", "0.1.0", "lockcheck alembic/versions/case_*.py"),
    Peer("locksafe", "0.3.1", "locksafe analyze case.sql --fail-on LOW --quiet"),
    Peer(
        "alembic-migration-linter",
        "0.1.4",
        f"alembic-lint -d postgresql -s {BASE} --warnings-as-errors --no-cache",
    ),
    Peer("django-zdm", "0.5.0", "zdm --warnings-as-errors alembic/versions/case_*.py"),
)


def write(folder: Path, base: Path, paths: Sequence[Path]) -> None:
    """Write a case: the base, the revisions on top of it and their SQL."""
    versions = folder / "alembic" / "versions"
    versions.mkdir(parents=True)
    (folder / "alembic.ini").write_text(INI, "utf-8")
    (folder / "alembic" / "env.py").write_text(ENV, "utf-8")
    shutil.copy(base, versions)
    for path in paths:
        shutil.copy(path, versions / f"case_{path.name}")
    sql, said = io.StringIO(), io.StringIO()
    config = Config(str(folder / "alembic.ini"), output_buffer=sql)
    with redirect_stderr(said), redirect_stdout(said):
        try:
            command.upgrade(config, f"{BASE}:head", sql=True)
        except (Exception, SystemExit):
            return
    (folder / "case.sql").write_text(TIMEOUTS + sql.getvalue(), "utf-8")
