"""A command that is killed leaves its scratch database to the next one, which drops it."""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from harness.databases import Database
from surefoot.connect.database import Database as Access
from surefoot.scratch import scratch

ENDS_S = 60.0
NOWHERE = Access("postgresql://nobody@127.0.0.1:1/nowhere")
HOLDS = """
import asyncio
from sqlalchemy import text
from surefoot.connect.database import Database
from surefoot.scratch import scratch

async def hold():
    async with scratch(Database({url!r}, scratch_url={scratch_url!r})) as engine:
        async with engine.connect() as connection:
            data = await connection.scalar(text("SELECT current_setting('data_directory')"))
        print(engine.url.database, data, flush=True)
        await asyncio.sleep(600)

asyncio.run(hold())
"""
LEFT = text("SELECT datname FROM pg_database WHERE datname = :name")


@asynccontextmanager
async def holding(url: str, scratch_url: str | None) -> AsyncIterator[tuple[str, str]]:
    """The name of a scratch database, and the folder of its server.

    The process that uses it is killed after the block.
    """
    script = HOLDS.format(url=url, scratch_url=scratch_url)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", script, stdout=asyncio.subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        name, place = (await process.stdout.readline()).decode().split()
        yield name, place
    finally:
        process.send_signal(signal.SIGKILL)
        await process.wait()


@pytest.mark.slow
async def test_the_next_command_drops_it(empty_database: Database) -> None:
    """Also while another one uses its own, which stays."""
    url = empty_database.url
    database = replace(empty_database.access, scratch_url=url)

    async def there(name: str) -> bool:
        async with scratch(database) as engine, engine.connect() as connection:
            assert engine.url.database != name
            return await connection.scalar(LEFT, {"name": name}) is not None

    async with holding(url, url) as (used, _):
        async with holding(url, url) as (left, _):
            assert await there(left)
        # The server may not have noticed yet that the session has ended.
        until_s = time.monotonic() + ENDS_S
        while await there(left):
            assert time.monotonic() < until_s
        assert await there(used)


@pytest.mark.slow
async def test_a_throw_away_server_leaves_no_folder() -> None:
    """Its supervisor stops it, and removes the folder of the command."""
    async with holding(str(NOWHERE.url), None) as (_, data):
        folder = Path(data).parent
        assert folder.name.startswith("surefoot-scratch-")
    until_s = time.monotonic() + ENDS_S
    while folder.exists():
        assert time.monotonic() < until_s, sorted(folder.iterdir())
        await asyncio.sleep(0.1)


@pytest.mark.slow
async def test_a_server_that_still_writes_does_not_hide_why_the_block_has_ended(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As the one whose session was cancelled while it started: no timeout was raised then."""
    remove = os.rmdir
    refused: list[object] = []

    def meets_a_new_file(path: Any, **options: Any) -> None:
        if os.fspath(path) == "base" and not refused:
            refused.append(path)
            raise OSError(errno.ENOTEMPTY, os.strerror(errno.ENOTEMPTY), path)
        remove(path, **options)

    data = text("SELECT current_setting('data_directory')")
    folders = []

    async def cancelled() -> None:
        async with scratch(NOWHERE) as engine:
            async with engine.connect() as connection:
                folders.append(Path(await connection.scalar(data)).parent)
            monkeypatch.setattr(os, "rmdir", meets_a_new_file)
            raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await cancelled()
    assert refused
    (folder,) = folders
    until_s = time.monotonic() + ENDS_S
    while folder.exists():
        assert time.monotonic() < until_s, sorted(folder.iterdir())
        await asyncio.sleep(0.1)
