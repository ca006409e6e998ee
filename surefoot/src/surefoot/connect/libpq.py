"""Programs of libpq, such as psql and pg_dump, and the environment variables for them."""

import asyncio
import os
from pathlib import Path

from surefoot.connect.url import TLS_ARGUMENTS, DatabaseUrl


def libpq_environment(url: DatabaseUrl, name: str) -> dict[str, str]:
    """The URL as environment variables, which other users cannot list as they can arguments.

    `name` is the application name, unless the URL has one.
    """
    settings = dict(url.server_settings)
    found = {
        "PGHOST": ",".join(host for host, _ in url.hosts),
        "PGPORT": ",".join(str(port) for _, port in url.hosts),
        "PGDATABASE": url.database,
        "PGUSER": url.user,
        "PGPASSWORD": url.password,
        "PGPASSFILE": url.passfile,
        "PGTARGETSESSIONATTRS": url.target_session_attrs,
        "PGCONNECT_TIMEOUT": f"{url.connect_timeout_s:.0f}" if url.connect_timeout_s else None,
        "PGAPPNAME": settings.pop("application_name", name),
        "PGOPTIONS": " ".join(f"-c {_escaped(f'{k}={v}')}" for k, v in settings.items()),
        **{
            f"PG{name.replace('_protocol', 'protocol').replace('_', '').upper()}": url.tls.get(name)
            for name in TLS_ARGUMENTS
        },
    }
    return {name: value for name, value in found.items() if value}


async def run_program(
    program: Path, *options: str, url: DatabaseUrl, name: str
) -> tuple[int, str, str]:
    """Run a program to its end, whose messages are in English: its code, output and messages.

    It is killed where the caller is cancelled. `name` is that of `libpq_environment`.
    """
    process = await asyncio.create_subprocess_exec(
        program,
        *options,
        env={**os.environ, **libpq_environment(url, name), "LC_ALL": "C"},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        output, messages = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return process.returncode or 0, output.decode(), messages.decode(errors="replace").strip()


def _escaped(text: str) -> str:
    """libpq splits options at spaces that have no backslash before them."""
    return text.replace("\\", "\\\\").replace(" ", "\\ ")
