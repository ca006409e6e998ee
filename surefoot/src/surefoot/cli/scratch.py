"""`surefoot scratch`: the scratch servers that are kept between two commands."""

from datetime import datetime, timezone

import click

from surefoot.cli import output
from surefoot.cli.project import json_option
from surefoot.errors import names
from surefoot.scratch.kept_server import KeptServer, folder, kept_servers
from surefoot.wording import counted, size


@click.command(name="scratch")
@click.option("--clear", is_flag=True, help="Remove those that no command uses.")
@json_option
def command(clear: bool, json_: bool) -> None:
    """Show the scratch servers that are kept for the next command, or remove them.

    A command that tries revisions keeps a database that has run those before them, so that the
    next one begins there. Remove them where one of these revisions would do something else now,
    for a reason that is not in its file: an environment variable, a file that it reads.

    \b
    Examples:
      surefoot scratch
      surefoot scratch --clear
    """
    found = kept_servers()
    if clear:
        _clear(found)
        return
    if json_:
        output.answer_json({"schema_version": 1, "servers": [_json(each) for each in found]})
        return
    if found:
        output.answer("USED LAST (UTC)   SIZE     PROJECT")
    for each in found:
        at = f"{_at(each):%Y-%m-%d %H:%M}" if each.used_at else "not ended well"
        output.answer(f"{at:<16}  {size(each.size_bytes):>7}  {each.project}")
    output.narrate(f"{counted(len(found), 'server')} kept in {folder()}")
    if found:
        output.narrate(f"remove them: {names.command()} scratch --clear")


def _clear(found: list[KeptServer]) -> None:
    """Remove them. Exit code 1 where one is in use."""
    used = [each for each in found if not each.remove()]
    for each in used:
        output.narrate(f"in use: {each.place}")
    output.narrate(f"OK  {counted(len(found) - len(used), 'server')} removed from {folder()}")
    if used:
        raise SystemExit(1)


def _at(each: KeptServer) -> datetime:
    return datetime.fromtimestamp(each.used_at, timezone.utc)


def _json(each: KeptServer) -> dict[str, object]:
    at = _at(each).isoformat() if each.used_at else None
    sized = {"bytes": each.size_bytes, "used_at": at}
    return {"folder": str(each.place), "project": each.project, **sized}
