"""How an engine finds its server and logs in, and what a failure shows."""

import asyncio
import socket
import time
import traceback
from pathlib import Path
from urllib.parse import quote

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from harness.clock import within
from harness.databases import Database, scalar
from harness.guarded import PASSWORD
from surefoot.connect.url import DatabaseUrl
from tests.support.settings import engine, settings_of


@pytest.mark.slow
async def test_a_password_of_reserved_characters_logs_in(guarded: Path) -> None:
    """Every character arrives at a server that checks it, however the URL holds it."""
    password = quote(PASSWORD, safe="")
    for url in (
        f"postgresql://guarded:{password}@/vegafs_dev?host={guarded}",
        f"postgresql://guarded:{password}@{quote(str(guarded), safe='')}/vegafs_dev",
        f"postgresql://guarded:{PASSWORD}@{quote(str(guarded), safe='')}/vegafs_dev",
        f"postgresql://guarded@/vegafs_dev?password={password}&host={guarded}",
    ):
        async with engine(settings_of(url), "app") as made:
            assert await scalar(made, "SELECT current_user") == "guarded"


@pytest.mark.slow
async def test_a_wrong_password_is_in_no_text_of_the_failure(guarded: Path) -> None:
    """Neither the exception, nor its causes, nor the engine shows it."""
    url = f"postgresql://guarded:S3cret@/vegafs_dev?host={guarded}"
    async with engine(settings_of(url), "app") as made:
        with pytest.raises(Exception, match="password authentication failed") as failed:
            await scalar(made, "SELECT 1")
        shown = "".join(traceback.format_exception(failed.value))
        assert "S3cret" not in f"{shown} {made!r} {made.url} {failed.value!r}"


async def test_bound_values_are_in_no_text_of_a_failure(database: Database) -> None:
    """An error may be logged by anybody; values may be secrets."""
    async with engine(settings_of(database.url), "app") as made, made.connect() as connection:
        with pytest.raises(DBAPIError) as failed:
            await connection.execute(text("SELECT CAST(:v AS int)"), {"v": "S3cret"})
        assert "hide_parameters=True" in str(failed.value)
        assert "[parameters: ('S3cret'" not in str(failed.value)


async def test_the_second_of_several_hosts_is_tried(database: Database) -> None:
    """A server that is gone does not stop a login that names another."""
    run = DatabaseUrl.parse(database.url).hosts[0][0]
    url = f"postgresql://tester@/{database.name}?host=/nowhere,{run}"
    async with engine(settings_of(url), "app") as made:
        assert await scalar(made, "SELECT current_database()") == database.name


async def test_a_url_without_a_host_means_what_libpq_would_choose(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PGHOST counts, and after it the usual socket."""
    monkeypatch.setenv("PGHOST", DatabaseUrl.parse(database.url).hosts[0][0])
    settings = settings_of(f"postgresql://tester@/{database.name}")
    async with engine(settings, "app") as made:
        assert await scalar(made, "SELECT current_database()") == database.name


async def test_a_server_that_does_not_answer_is_given_up() -> None:
    """connect_timeout_s is for the whole login, not for the network alone."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        settings = settings_of(f"postgresql://u@127.0.0.1:{port}/d?sslmode=disable")
        async with engine(settings.model_copy(update={"connect_timeout_s": 0.2}), "app") as made:
            started = time.monotonic()
            with pytest.raises((TimeoutError, asyncio.TimeoutError)):
                await scalar(made, "SELECT 1")
            assert time.monotonic() - started < within(2)
