"""A project of another team, whose own package is called `app`, with the library from a wheel."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from harness.databases import Database, connect
from harness.installation import Installation, Outcome

FOREIGN = Path(__file__).with_name("foreign")
CHAIN = ["3f1c9a7b2d10", "a80e55d4c6f2", "0b77de12f9ac"]
ORDERS = "SELECT to_regclass('orders') IS NOT NULL"


class Shop:
    """The project in a folder of its own, on a database of its own."""

    def __init__(self, folder: Path, installation: Installation, database: Database) -> None:
        shutil.copytree(FOREIGN, folder)
        self.folder, self.installation, self.database = folder, installation, database

    def run(self, command: str, *, code: int = 0) -> Outcome:
        """One of its commands, which exits with that code."""
        program, *arguments = command.split()
        done = self.installation.run(
            program,
            *arguments,
            cwd=self.folder,
            SHOP_DATABASE=self.database.url,
            SHOP_SCRATCH=self.database.url,
        )
        assert done.exit_code == code, f"{command}: {done}"
        return done

    async def has_orders(self) -> object:
        connection = await connect(self.database.url)
        try:
            return await connection.fetchval(ORDERS)
        finally:
            await connection.close()


@pytest.fixture
def shop(tmp_path: Path, installation: Installation, empty_database: Database) -> Shop:
    return Shop(tmp_path / "shop", installation, empty_database)


@pytest.mark.slow
async def test_a_foreign_project_is_planned_migrated_and_verified(shop: Shop) -> None:
    """From a wheel, known by an env.py of three lines, no file of its past changed."""
    env = (FOREIGN / "migrations" / "env.py").read_text("utf-8")
    assert len([line for line in env.splitlines() if line.strip()]) == 2
    shop.run("surefoot lock")
    planned = json.loads(shop.run("surefoot plan --json", code=1).out)
    assert [each["revision"] for each in planned["revisions"]] == CHAIN
    linted = json.loads(shop.run("surefoot lint --json", code=1).out)
    errors = {each["rule"] for each in linted["findings"] if each["level"] == "error"}
    assert errors == {"avoid-work-under-access-exclusive", "require-concurrent-unique"}

    assert f": 3 revisions, base to {CHAIN[-1]}\n" in shop.run("alembic upgrade head").err
    assert await shop.has_orders() is True
    shop.run("alembic downgrade base")
    assert await shop.has_orders() is False
    shop.run("alembic upgrade head")
    assert await shop.has_orders() is True

    assert json.loads(shop.run("surefoot drift --json").out)["database"] == shop.database.name
    verified = json.loads(shop.run("surefoot verify --json").out)
    assert verified["ok"] is True
    assert [each["check"] for each in verified["checks"]] == ["files", "ledger", "startup", "drift"]


@pytest.mark.slow
def test_a_foreign_project_is_told_by_its_own_commands(shop: Shop) -> None:
    """The help names `surefoot`; Alembic's own commands answer as in any project."""
    said = shop.run("alembic upgrade head --sql").err
    assert "WARNING [lock-file-missing]" in said
    assert "`surefoot lock --baseline heads` writes it" in said
    shop.run("surefoot lock")
    shop.run("alembic upgrade head")
    assert "is at head" in shop.run("alembic upgrade head").err
    assert shop.run("alembic current").out == f"{CHAIN[-1]} (head)\n"
    assert shop.run("alembic check").out == "No new upgrade operations detected.\n"
    assert "surefoot lint --help" in shop.run("surefoot lint --nope", code=2).err
    assert "no revision is 'nope'" in shop.run("surefoot lint nope", code=2).err
