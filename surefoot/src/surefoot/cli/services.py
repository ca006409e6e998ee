"""`surefoot services`: list the running services of a database."""

from dataclasses import asdict

import click

from surefoot.cli import output
from surefoot.cli.project import json_option, project, read_on, serving
from surefoot.cli.targets import target_option
from surefoot.ledger.services import living
from surefoot.wording import counted


@click.command(name="services")
@json_option
@target_option
def command(json_: bool) -> None:
    """List the services that are running on the database, each with the revision of its code.

    A service behind a pooler in transaction mode cannot be seen.

    \b
    Examples:
      surefoot services
      surefoot services --json --target eu
    """
    locked = project().locked()
    with serving() as named:
        found = read_on(named, lambda connection: living(connection, locked))
        name = named.location().database or "(default)"
    if json_:
        services = [asdict(each) for each in found]
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
