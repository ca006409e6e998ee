"""A development database that a command may take back, since it is one developer's alone."""

from collections.abc import Iterator
from contextlib import contextmanager

import click
from sqlalchemy import Connection

from surefoot.branches import alone
from surefoot.cli import output
from surefoot.cli.project import opened, read_on
from surefoot.connect.database import Database
from surefoot.errors import DatabaseShared
from surefoot.frozen import dataclass
from surefoot.ledger.glance import Glance, read
from surefoot.ledger.services import Service, living
from surefoot.ledger.table import Ledger, Row
from surefoot.ledger.writer import who
from surefoot.project import Project
from surefoot.run.events import Finished, Listen
from surefoot.run.telling import telling

mine_option = click.option(
    "--mine",
    is_flag=True,
    help="The database is yours alone, whoever else has run revisions on it.",
)


@contextmanager
def steps_told() -> Iterator[Listen]:
    """A listener for a run, without its end: the command has a last line of its own."""
    with telling(output.narrate) as tell:
        yield lambda event: None if isinstance(event, Finished) else tell(event)


@dataclass(frozen=True)
class Own:
    """The database, its name, and what its two tables say."""

    database: Database
    name: str
    tables: Glance


@contextmanager
def own_database(*, mine: bool) -> Iterator[Own]:
    """The database that is migrated, on a server that is up as long as the block lasts.

    `mine`: its user says so, whoever has migrated it. On failure: DatabaseShared, and what
    connecting can meet.
    """
    environment, project = opened()
    configured = environment.resolved_database()
    direct = configured.migrate_url
    database = configured if direct is None else configured.at(direct)
    name = database.location("migrate").database if database.is_named else f"{database.name}_dev"
    name = name or "(default)"
    reasons = [*alone.of_configuration(database, environment.resolved_targets())]
    if reasons:
        raise DatabaseShared(name, reasons)
    with database.available(output.narrate) as named:
        tables, services, rows = read_on(named, lambda at: _read(at, project))
        # An embedded server is in a folder of the project: nobody else has it.
        is_mine = mine or not configured.is_named
        reasons = [*alone.of_services(services), *([] if is_mine else alone.of_others(rows, who()))]
        if reasons:
            raise DatabaseShared(name, reasons)
        yield Own(named, name, tables)


def _read(
    connection: Connection, project: Project
) -> tuple[Glance, tuple[Service, ...], tuple[Row, ...]]:
    table = project.version_table
    rows = tuple(Ledger(table).rows(connection))
    return read(connection, table), living(connection, project.locked()), rows
