"""`surefoot db reset` and `surefoot db seed`: a new development database at head, with its rows."""

import asyncio

import click
from sqlalchemy import Connection, text

from surefoot.branches.fresh import SEEDS, fresh, seed_of, seeds_of, sow
from surefoot.cli import output
from surefoot.cli.own_database import mine_option, own_database
from surefoot.cli.project import on_database, project, read_on, with_target
from surefoot.errors import UsageError, names
from surefoot.run import commands
from surefoot.run.report import named as at
from surefoot.run.telling import telling
from surefoot.scratch.preparing import create_extensions
from surefoot.target import Target
from surefoot.wording import counted, size

_SIZE = """
SELECT pg_database_size(current_database())::bigint, count(*)
FROM pg_class WHERE relkind IN ('r', 'p') AND relnamespace::regnamespace::text
    NOT IN ('pg_catalog', 'information_schema')
"""


@click.command()
@click.option("--execute", is_flag=True, help="Do it; without this it is said what would go.")
@mine_option
def reset(execute: bool, mine: bool) -> None:
    """Replace your database by a new one at head.

    If the parent folder of env.py's folder contains seeds.py, its function seed(connection) inserts
    the first rows. The new database is created, migrated and filled under another name and then
    renamed: if anything fails, the old one is unchanged. Settings of the database itself, such as
    ALTER DATABASE … SET, are lost.

    \b
    Examples:
      surefoot db reset
      surefoot db reset --execute

    Exit codes: 0 done, or shown; 2 usage; 3 refused; 4 a revision or the seeds failed; 75 a retry
    is safe.
    """
    found = project()
    with own_database(mine=mine) as own:
        if not execute:
            bytes_, tables = read_on(own.database, _size)
            output.answer(
                f"{own.name} is at {at(own.tables.heads)}: {counted(tables, 'table')}, "
                f"{size(bytes_)}, which would be gone"
            )
            output.narrate(f"nothing was changed. Next: {names.command()} db reset --execute")
            return
        path = seeds_of(found)
        seeds = None if path is None else seed_of(path)

        async def made(target: Target) -> None:
            async with target.engine.begin() as connection:
                await create_extensions(connection, found)
            with telling(output.narrate) as tell:
                await commands.upgrade(target, "heads", listen=tell, signals=True)
            if seeds is not None:
                await sow(seeds, target.engine, kept="the database is as it was")

        asyncio.run(fresh(own.database, own.name, lambda new: with_target(new, made)))
    rows = f", with the rows of {SEEDS}" if seeds else ""
    output.narrate(f"OK  {own.name} is new and at head{rows}")


@click.command()
@mine_option
def seed(mine: bool) -> None:
    """Run seeds.py on your database.

    It is written so that a second run changes nothing.

    \b
    Examples:
      surefoot db seed
      surefoot db seed --mine

    Exit codes: 0 done; 2 usage; 3 refused; 4 the seeds failed; 75 a retry is safe.
    """
    path = seeds_of(project())
    if path is None:
        place = project().folder.with_name(SEEDS)
        raise UsageError(f"there is no {place}", help="write `async def seed(connection)` in it")
    seeds = seed_of(path)
    kept = "only what it committed itself is kept"
    with own_database(mine=mine) as own:
        on_database(own.database, lambda target: sow(seeds, target.engine, kept=kept))
    output.narrate(f"OK  {own.name} has the rows of {SEEDS}")


def _size(connection: Connection) -> tuple[int, int]:
    bytes_, tables = connection.execute(text(_SIZE)).one()
    return int(bytes_), int(tables)
