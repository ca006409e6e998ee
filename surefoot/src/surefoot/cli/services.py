"""`surefoot services`: list the running services of a database."""

import asyncio
from dataclasses import asdict

import click

from surefoot.cli import output
from surefoot.cli.project import json_option, opened
from surefoot.connect.database import Database
from surefoot.connect.failures import explained
from surefoot.ledger.services import Service, living
from surefoot.project import Project
from surefoot.wording import counted


@click.command(name="services")
@json_option
def command(json_: bool) -> None:
    """List the services that are running on the database, each with the revision of its code.

    A service behind a pooler in transaction mode cannot be seen.

    \b
    Examples:
      surefoot services
      surefoot services --json
    """
    environment, project = opened()
    with environment.resolved_database().available(output.narrate) as named:
        name, found = asyncio.run(_read(named, project))
    if json_:
        services = [{**asdict(s), "since": s.since and s.since.isoformat()} for s in found]
        output.answer_json({"schema_version": 1, "database": name, "services": services})
        return
    if found:
        output.answer("REVISION  SINCE (UTC)       PID      SERVICE")
    for service in found:
        since = f"{service.since:%Y-%m-%d %H:%M}" if service.since else ""
        output.answer(
            f"{service.revision or '?':<8}  {since:<16}  {service.pid:<7}  {service.application}"
        )
    output.narrate(f"{counted(len(found), 'service', 'is/are')} running")


async def _read(database: Database, project: Project) -> tuple[str, tuple[Service, ...]]:
    engine = database.engine("observe")
    try:
        with explained(engine.url):
            async with engine.connect() as connection:
                found = await connection.run_sync(living, project.locked())
    finally:
        await engine.dispose()
    return engine.url.database or "(default)", found
