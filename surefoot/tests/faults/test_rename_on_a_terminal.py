"""On a terminal the command asks whether a drop and an add are a rename, and takes the answer."""

from __future__ import annotations

import asyncio
import os
import sys

import pytest

from harness.databases import Database
from harness.runs import Chain, Launcher
from harness.server import LIBRARY

MODELS = """
from sqlalchemy import *
from surefoot import Environment

metadata = MetaData()
Table("jobs", metadata, Column("id", Integer, primary_key=True), Column("{}", Text))
Environment(metadata=metadata, database="harness.environment:database").run()
"""


@pytest.mark.slow
@pytest.mark.parametrize("answer", ["y", "n", ""])
async def test_the_answer_on_a_terminal_decides(
    chain: Chain,
    launcher: Launcher,
    empty_database: Database,
    answer: str,
) -> None:
    """A rename, or a drop and an add, of which nobody is asked again."""
    url = empty_database.url
    chain.add("op.execute('CREATE TABLE jobs (id serial PRIMARY KEY, rank text)')")
    assert (await launcher.alembic(chain, "upgrade", "head", url=url)).code == 0
    (chain.folder / "alembic" / "env.py").write_text(MODELS.format("priority"), "utf-8")
    master, terminal = os.openpty()
    command = "from alembic.config import main; main()"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", command, "revision", "--autogenerate", "-m", "Call it priority",
        stdin=terminal, stdout=asyncio.subprocess.DEVNULL, stderr=terminal,
        cwd=chain.folder,
        env={**os.environ, "DATABASE_URL": url, "PYTHONPATH": str(LIBRARY / "tests")},
    )  # fmt: skip
    os.close(terminal)
    os.write(master, f"{answer}\n".encode())
    assert await process.wait() == 0, os.read(master, 9999).decode()
    said = os.read(master, 9999).decode()
    os.close(master)
    asked = "?   jobs.rank is dropped and jobs.priority added. Is that a rename? [y/N]"
    assert said.count("is dropped and") == 1
    assert asked in said
    files = "".join(path.read_text("utf-8") for path in chain.versions.glob("*.py"))
    assert ('new_column_name="priority"' in files) is (answer == "y")
    assert ('op.drop_column("jobs", "rank")' in files) is (answer != "y")
    assert "If jobs.rank was renamed" not in files
