"""`surefoot db`: the embedded PostgreSQL of a development machine."""

import os
import sys
from typing import NoReturn

import click

from surefoot import embedded
from surefoot.cli import output
from surefoot.cli.db_goto import goto
from surefoot.cli.db_reset import reset, seed
from surefoot.cli.project import opened
from surefoot.cli.suggesting import Group
from surefoot.connect.database import Database
from surefoot.connect.libpq import libpq_environment
from surefoot.connect.url import DatabaseUrl
from surefoot.errors import ServerBinariesMissing, names


@click.group(cls=Group, name="db")
def command() -> None:
    """The database of a development machine: start, stop, look, log in, go back.

    It serves while a command uses it, so nothing here needs to be called first.
    Its data stays in the folder that the project names, between runs.

    `goto`, `reset` and `seed` are for your own development database, wherever it is.

    \b
    Examples:
      surefoot db goto               take back what another branch has applied
      surefoot db start              keep it up between commands
      surefoot db psql               a prompt on the database in force
      surefoot db psql -c '\\dt'      one statement
    """


for each in (goto, reset, seed):
    command.add_command(each)


@command.command()
def start() -> None:
    """Start the embedded server and keep it up until `surefoot db stop`.

    \b
    Examples:
      surefoot db start
      surefoot db start && psql "$(surefoot db url)"
    """
    database = _database()
    server = database.embedded_server(output.narrate)
    state = server.start()
    output.narrate(f"OK  PostgreSQL {state.major} is up in {server.directory}, and stays up")
    if database.url is not None:
        output.narrate(f"Note: commands use {names.setting('database')} instead")
    output.narrate("Next: alembic upgrade head")


@command.command()
@click.option("--now", is_flag=True, help="Also while commands use it, which then fail.")
def stop(now: bool) -> None:
    """Stop the embedded server; its data stays.

    \b
    Examples:
      surefoot db stop
      surefoot db stop --now
    """
    server = _database().embedded_server()
    if server.stop(now=now):
        output.narrate(f"OK  stopped; the data stays in {server.folder.data}")
    else:
        output.narrate(f"OK  no server runs in {server.directory}")
    output.narrate(f"Next: {names.command()} db start")


@command.command()
def status() -> None:
    """Say whether the embedded server runs, who uses it, and what keeps it up.

    \b
    Examples:
      surefoot db status
      surefoot db status && surefoot db psql
    """
    database = _database()
    server = database.embedded_server()
    found = server.status()
    if found.running is None:
        word = "STARTING OR STOPPING" if found.has_supervisor else "STOPPED"
        output.answer(f"{word}  {server.directory}")
        output.narrate(f"Next: {names.command()} db start")
        return
    output.answer(f"UP  PostgreSQL {found.running.major}, {server.directory}")
    output.answer(f"  pid     {found.running.postgres_pid}")
    output.answer(f"  pinned  {'yes, it stays without users' if found.pinned else 'no'}")
    output.answer(f"  users   {', '.join(found.users) or 'none'}")
    following = "stop" if found.pinned else "start keeps it up"
    output.narrate(f"Next: {names.command()} db {following}")


@command.command()
@click.option("--show-password", is_flag=True, help="Print the URL as it was given.")
def url(show_password: bool) -> None:
    """Print the URL of the database in force, its password masked.

    \b
    Examples:
      surefoot db url
      surefoot db url --show-password
    """
    database = _database()
    with database.available(output.narrate) as named:
        assert named.url is not None
        shown = database.url is None or show_password
        output.answer(named.url if shown else str(DatabaseUrl.parse(named.url)))
    if database.url is None:
        pinned = database.embedded_server().status().pinned
        kept = "stays up" if pinned else "is up while a command uses it"
        output.narrate(f"The embedded server; it {kept}")
        following = "psql" if pinned else "start keeps it up for other programs"
        output.narrate(f"Next: {names.command()} db {following}")
    else:
        output.narrate(f"From {names.setting('database')}\nNext: {names.command()} db psql")


@command.command(
    context_settings={"ignore_unknown_options": True, "help_option_names": ["--help"]},
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def psql(arguments: tuple[str, ...]) -> None:
    """Run psql on the database in force; ARGUMENTS are psql's own.

    \b
    Examples:
      surefoot db psql
      surefoot db psql -c 'SELECT count(*) FROM jobs'
    """
    database = _database()
    if database.url is not None:
        _become_psql(database, arguments)
    with database.embedded_server(output.narrate).use() as running:
        running.survive_exec()
        _become_psql(database.at(running.url()), arguments, since=running.state.major)


def _become_psql(database: Database, arguments: tuple[str, ...], *, since: int = 0) -> NoReturn:
    """Replace this process by psql, so that its signals and exit code are psql's."""
    program = embedded.find_program("psql", database.pg_bindir, since=since)
    if program is None:
        raise ServerBinariesMissing("psql is not installed here")
    sys.stdout.flush()
    sys.stderr.flush()
    login = libpq_environment(database.location(), f"{database.name}-psql")
    os.execve(program, ["psql", *arguments], {**os.environ, **login})  # noqa: S606 - no shell


def _database() -> Database:
    return opened()[0].resolved_database()
