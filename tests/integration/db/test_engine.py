"""The one engine factory, as the server sees what it makes."""

import ast
import socket

import pytest
from sqlalchemy.exc import DBAPIError

from harness.databases import Database, scalar, value
from harness.server import Server
from surefoot.connect.database import Role
from tests.support.project import ROOT
from tests.support.settings import engine, settings_of

HOST = socket.gethostname()


@pytest.mark.parametrize(
    ("role", "expected"),
    [
        (
            "app",
            {
                "application_name": "vegafs",
                "lock_timeout": "0",
                "statement_timeout": "0",
                "client_connection_check_interval": "0",
                "default_transaction_read_only": "off",
            },
        ),
        (
            "migrate",
            {
                "application_name": f"vegafs-migrate@{HOST}"[:63],
                "lock_timeout": "200ms",
                "statement_timeout": "0",
                "idle_in_transaction_session_timeout": "1min",
                "client_connection_check_interval": "500ms",
                "default_transaction_read_only": "off",
            },
        ),
        (
            "observe",
            {
                "application_name": f"vegafs-observe@{HOST}"[:63],
                "lock_timeout": "5s",
                "default_transaction_read_only": "on",
            },
        ),
    ],
)
async def test_each_role_has_its_settings_from_the_first_statement(
    database: Database, role: Role, expected: dict[str, str]
) -> None:
    """The server has them from the login on; no statement sets them."""
    async with engine(settings_of(database.url), role) as made:
        found = {name: await scalar(made, f"SELECT current_setting('{name}')") for name in expected}
    assert found == expected


async def test_a_migration_s_timeouts_beat_those_of_the_role_and_the_url(
    database: Database,
) -> None:
    """A limit that is meant for requests does not stop a migration."""
    await value(
        database.url,
        f'ALTER DATABASE "{database.name}" SET idle_in_transaction_session_timeout = 1000',
    )
    url = f"{database.url}&options=-c%20lock_timeout%3D9s%20-c%20work_mem%3D5MB"
    settings = settings_of(url).model_copy(update={"migrate_lock_timeout_s": 0.75})
    async with engine(settings, "migrate") as made:
        assert await scalar(made, "SHOW lock_timeout") == "750ms"
        assert await scalar(made, "SHOW idle_in_transaction_session_timeout") == "1min"
        assert await scalar(made, "SHOW work_mem") == "5MB"
    async with engine(settings, "app") as made:
        assert await scalar(made, "SHOW lock_timeout") == "9s"


async def test_a_name_in_the_url_is_the_beginning_of_each_role_s(database: Database) -> None:
    """Several installations on one server can be told apart."""
    settings = settings_of(f"{database.url}&application_name=blue")
    async with engine(settings, "app") as app, engine(settings, "migrate") as migrate:
        assert await scalar(app, "SHOW application_name") == "blue"
        assert await scalar(migrate, "SHOW application_name") == f"blue-migrate@{HOST}"[:63]


async def test_the_observer_cannot_write(database: Database) -> None:
    """The server refuses, not our code."""
    async with engine(settings_of(database.url), "observe") as made:
        with pytest.raises(DBAPIError, match="read-only transaction"):
            await scalar(made, "CREATE TABLE written (id int)")


async def test_only_the_application_keeps_connections(database: Database, server: Server) -> None:
    """A migration or a look leaves none behind."""
    count = f"SELECT count(*) FROM pg_stat_activity WHERE datname = '{database.name}'"
    async with (
        engine(settings_of(database.url), "migrate") as migrate,
        engine(settings_of(database.url), "observe") as observe,
        engine(settings_of(database.url), "app") as app,
    ):
        for made in (migrate, observe, app):
            await scalar(made, "SELECT 1")
        assert await value(server.url, count) == 1
    assert await value(server.url, count) == 0


@pytest.mark.slow
def test_engines_are_made_in_one_place() -> None:
    """Whoever makes one elsewhere would do without its timeouts, its name and its masks."""
    made_in = {
        str(path.relative_to(ROOT))
        for folder in ("app", "alembic", "benchmarks", "surefoot", "tests")
        for path in (ROOT / folder).rglob("*.py")
        # A hazard is a revision that does what a project had better not do.
        if "hazards" not in path.parts and makes_engines(path.read_text("utf-8"))
    }
    # The others compare with an engine that has the caches of its drivers, or hand engines of other
    # drivers in, to be refused.
    assert made_in == {
        "surefoot/benchmarks/caches.py",
        "surefoot/src/surefoot/connect/database.py",
        "surefoot/tests/faults/test_45_statements_of_a_service.py",
        "surefoot/tests/unit/test_sources.py",
    }


def makes_engines(text: str) -> bool:
    """Whether the module takes an engine factory from SQLAlchemy, under whatever name."""
    factories = {"create_engine", "create_async_engine"}
    factories |= {"engine_from_config", "async_engine_from_config"}
    if not any(name in text for name in factories):
        return False
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("sqlalchemy"):
            named = {name.name for name in node.names}
        elif isinstance(node, ast.Attribute):
            # `sqlalchemy.create_engine`, `sa.create_engine`; ours is imported by its name
            named = {node.attr}
        else:
            continue
        if named & factories:
            return True
    return False
