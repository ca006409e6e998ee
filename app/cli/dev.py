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

    PostgreSQL is embedded, with its data in .vegafs, unless DATABASE_URL names a database. The
    volumes are /usr and your home folder, unless VEGAFS_VOLUMES names others. Each start prints the
    same key.

    \b
    Examples:
      vegafs dev
      VEGAFS_PORT=8080 VEGAFS_VOLUMES=pictures=$HOME/Pictures vegafs dev
    """
    settings, origins = load_with_origins()
    if settings.environment == "production":
        raise UsageError(
            "`vegafs dev` creates a key and migrates without asking: it is not for production",
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
            f"\nIts result:\n\n"
            f"  curl -s -H 'Authorization: Bearer {key}' '{url}/api/v1/files?limit=3'\n"
            f"\nCtrl-C stops it; the data stays in {where}."
        )

    run(settings, migrate=True, announce=announce)


async def _development_key(session: AsyncSession, settings: Settings) -> str:
    """The key in the file if it is valid, or a new one."""
    path = settings.state_dir / KEY_FILE
    try:
        key = path.read_text("ascii").strip()
        await repository.recognise(session, key)
    except (OSError, UnicodeDecodeError, KeyUnknown):
        # One key for each machine: several may share a database, each with its own file.
        name = f"development@{socket.gethostname()}"
        with contextlib.suppress(KeyNotFound):
            await repository.revoke(session, name)
        key = await repository.create(session, name)
        _write_private(path, key)
    return key


def _write_private(path: Path, text: str) -> None:
    """Write a file that other users cannot read at any time."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f"{path.name}.new")
    new.unlink(missing_ok=True)
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(descriptor, "w", encoding="ascii") as file:  # noqa: PTH123 - it is a descriptor
        file.write(f"{text}\n")
    new.replace(path)
