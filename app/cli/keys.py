"""`vegafs keys`: create, list and revoke API keys."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import TypeVar

import click
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.engine import PROJECT, available, create_engine
from app.db.models import ApiKey
from app.db.session import session_factory
from app.keys import repository
from app.settings import Settings, load_settings
from surefoot import check
from surefoot.cli import Group, output
from surefoot.connect import explained
from surefoot.wording import counted

T = TypeVar("T")


@click.group(cls=Group, name="keys")
def command() -> None:
    """Create, list and revoke API keys.

    \b
    Examples:
      vegafs keys create laptop
      vegafs keys create monitoring --scope ops
      vegafs keys list
      vegafs keys revoke laptop
    """


def _name(_: click.Context, __: click.Parameter, value: str) -> str:
    if not value.strip() or not value.isprintable():
        raise click.BadParameter("a name needs printable characters")
    return value.strip()


@command.command()
@click.argument("name", callback=_name)
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    type=click.Choice(repository.SCOPES),
    help="Permission beyond the API; ops: read /migrations and /metrics.",
)
def create(name: str, scopes: tuple[str, ...]) -> None:
    """Create a key and print it once; only its hash is stored.

    \b
    Examples:
      vegafs keys create laptop
      vegafs keys create monitoring --scope ops
    """
    key = _with_session(lambda session: repository.create(session, name, scopes))
    output.answer(key)
    output.narrate(f"OK  created the key {name!r}; it is not shown again")
    output.narrate("Next: send it as `Authorization: Bearer KEY`")


@command.command(name="list")
@click.option("--json", "as_json", is_flag=True, help="One JSON object, not text.")
def list_(as_json: bool) -> None:
    """List the names of all keys, never the keys themselves.

    \b
    Examples:
      vegafs keys list
      vegafs keys list --json
    """
    keys = _with_session(repository.find)
    if as_json:
        output.answer_json({"schema_version": 1, "keys": [_as_json(key) for key in keys]})
        return
    rows = [("NAME", "STATE", "SCOPES", "CREATED (UTC)", "LAST USED")]
    rows += [
        (
            key.name,
            _state(key),
            ", ".join(key.scopes) or "-",
            _time(key.created_at),
            _time(key.last_used_at),
        )
        for key in keys
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows if keys else []:
        line = "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True))
        output.answer(line.rstrip())
    in_force = sum(key.revoked_at is None for key in keys)
    output.narrate(f"{counted(len(keys), 'key')}, {in_force} in force")


@command.command()
@click.argument("name", callback=_name)
def revoke(name: str) -> None:
    """Revoke a key at once; its name can be reused.

    \b
    Examples:
      vegafs keys revoke laptop
      vegafs keys revoke 'development@my machine'
    """
    _with_session(lambda session: repository.revoke(session, name))
    output.narrate(f"OK  revoked the key {name!r}")


def _with_session(ask: Callable[[AsyncSession], Awaitable[T]]) -> T:
    """Run a query on the settings' database, which this build must be able to serve on."""
    with available(load_settings(), narrate=output.narrate) as settings:
        return asyncio.run(_ask(settings, ask))


async def _ask(settings: Settings, ask: Callable[[AsyncSession], Awaitable[T]]) -> T:
    engine = create_engine(settings, "app")
    try:
        verdict = await check(engine, PROJECT.build())
        if verdict.error is not None:
            raise verdict.error
        with explained(engine.url):
            async with session_factory(engine).begin() as session:
                return await ask(session)
    finally:
        await engine.dispose()


def _state(key: ApiKey) -> str:
    return "in force" if key.revoked_at is None else f"revoked {_time(key.revoked_at)}"


def _time(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M}" if moment else "never"


def _as_json(key: ApiKey) -> dict[str, object]:
    moments = {
        "created_at": key.created_at,
        "last_used_at": key.last_used_at,
        "revoked_at": key.revoked_at,
    }
    return {
        "name": key.name,
        "in_force": key.revoked_at is None,
        "scopes": key.scopes,
        **{name: moment and moment.isoformat() for name, moment in moments.items()},
    }
