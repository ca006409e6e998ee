"""`vegafs dev`: from a clone to a service, in one command."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import socket
from pathlib import Path

import click
from fastapi import FastAPI
from sqlalchemy.ext.asyncio import AsyncSession

from app.cli.serve import run
from app.errors import KeyNotFound, KeyUnknown
from app.keys import repository
from app.settings import Settings, load_with_origins
from surefoot.cli import output
from surefoot.errors import UsageError

KEY_FILE = "development-key"


@click.command(name="dev")
def command() -> None:
    """Start PostgreSQL, migrate to head and serve.

    \b
    PostgreSQL is the project's own, under .vegafs, unless DATABASE_URL names
    another. The folders that may be scanned are /usr and your home, unless
    VEGAFS_VOLUMES names others. The key that is printed stays the same.
    """
    settings, origins = load_with_origins()
    if settings.environment == "production":
        raise UsageError(
            "`vegafs dev` makes a key and migrates as it likes, which is not for production",
            help="vegafs serve --migrate",
        )
    if "volumes" not in origins:
        defaults = {"usr": Path("/usr"), "home": Path.home()}
        settings = settings.model_copy(update={"volumes": defaults})

    async def announce(app: FastAPI, url: str) -> None:
        async with app.state.sessions.begin() as session:
            key = await _development_key(session, settings)
        root = next(iter(settings.volumes.values()), Path("/"))
        where = settings.state_dir if settings.database_url is None else "the database"
        body = json.dumps({"operation": "scan", "path": str(root.absolute())})
        output.answer(
            f"\nServing    {url}\n"
            f"API        {url}/docs\n"
            f"Readiness  {url}/readyz\n"
            f"Migrations {url}/migrations\n"
            f"Key        {key}\n"
            f"\nA first scan, from another terminal:\n\n"
            f"  curl -s -H 'Authorization: Bearer {key}' "
            f"-H 'Content-Type: application/json' -d {shlex.quote(body)} {url}/api/v1/jobs\n"
            f"\nWhat it found:\n\n"
            f"  curl -s -H 'Authorization: Bearer {key}' '{url}/api/v1/files?limit=3'\n"
            f"\nCtrl-C stops it; the data stays in {where}."
        )

    run(settings, migrate=True, announce=announce)


async def _development_key(session: AsyncSession, settings: Settings) -> str:
    """The key in the file if it is still in force, or else a new one."""
    path = settings.state_dir / KEY_FILE
    try:
        key = path.read_text("ascii").strip()
        await repository.recognise(session, key)
    except (OSError, UnicodeDecodeError, KeyUnknown):
        # By machine: several may share a database, each with a file of its own.
        name = f"development@{socket.gethostname()}"
        with contextlib.suppress(KeyNotFound):
            await repository.revoke(session, name)
        key = await repository.create(session, name)
        _write_private(path, key)
    return key


def _write_private(path: Path, text: str) -> None:
    """Write a file that nobody else could read at any time."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f"{path.name}.new")
    new.unlink(missing_ok=True)
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(descriptor, "w", encoding="ascii") as file:  # noqa: PTH123 - it is a descriptor
        file.write(f"{text}\n")
    new.replace(path)
