"""`alembic history`: what there is, and which of it the database has."""

import asyncio
from collections.abc import Callable, Collection
from contextlib import AbstractContextManager

from alembic.config import Config
from alembic.script import Script, ScriptDirectory
from alembic.util import to_tuple
from sqlalchemy.ext.asyncio import AsyncEngine

from surefoot.chain.revisions import Revision
from surefoot.connect.failures import explained
from surefoot.environment.commandline import say
from surefoot.errors import SurefootError, UsageError
from surefoot.errors.disclosure import disclosed
from surefoot.ledger.glance import heads_of
from surefoot.ledger.position import position
from surefoot.version_table import VersionTable

Engine = Callable[[], AbstractContextManager[AsyncEngine]]


def history(
    config: Config,
    script: ScriptDirectory,
    engine: Engine,
    version_table: VersionTable = VersionTable(),
) -> None:
    """Print the revisions, newest first, each with its state in the database.

    Without a database the list is still printed, and the reason said.
    """
    heads: tuple[str, ...] | None
    try:
        heads = asyncio.run(_heads(engine, version_table))
    except SurefootError as error:
        heads = None
        say(f"{error.render()}\nThe list below says nothing of the database.\n")
    options = config.cmd_opts
    base, head = _range(getattr(options, "rev_range", None), heads)
    revisions = [item for item in script.walk_revisions(base, head) if isinstance(item, Script)]
    waiting = None if heads is None else _pending(script, heads)
    if getattr(options, "verbose", False):
        for revision in revisions:
            entry = disclosed(revision.log_entry)
            config.print_stdout("State: %s\n%s", _state(revision, waiting), entry)
    else:
        width = max((len(item.revision) for item in revisions), default=0)
        for revision in revisions:
            state, title = _state(revision, waiting), disclosed(revision.doc or "").rstrip(".")
            phase = getattr(revision.module, "phase", "")
            config.print_stdout(f"{state:<7}  {revision.revision:<{width}}  {phase:<8}  {title}")
    pending = sum(1 for item in revisions if _state(item, waiting) == "pending")
    summary = f"{len(revisions)} revisions" + ("" if heads is None else f", {pending} pending")
    say(f"{summary}. Next: alembic upgrade head" if pending else f"{summary}.")


async def _heads(engine: Engine, version_table: VersionTable) -> tuple[str, ...]:
    with engine() as opened, explained(opened.url):
        async with opened.connect() as connection:
            return await connection.run_sync(heads_of, version_table)


def _range(given: str | None, heads: tuple[str, ...] | None) -> tuple[str, str]:
    if given is None:
        return "base", "heads"
    start, colon, end = given.strip().partition(":")
    if not colon:
        raise UsageError(
            f"{given!r} is not a range of revisions", help="write it as 0002:0005, 0002: or :0005"
        )
    current = ", ".join(heads or ()) or "base"
    start, end = (current if name == "current" else name for name in (start, end))
    return start or "base", end or "heads"


def _pending(script: ScriptDirectory, heads: Collection[str]) -> frozenset[str]:
    chain = [
        Revision(
            each.revision,
            (*to_tuple(each.down_revision, ()), *to_tuple(each.dependencies, ())),
            phase="",
            slug="",
            sha256="",
        )
        for each in script.walk_revisions()
    ]
    return frozenset(revision.id for revision in position(chain, heads, {}).pending)


def _state(revision: Script, pending: Collection[str] | None) -> str:
    if pending is None:
        return "unknown"
    return "pending" if revision.revision in pending else "applied"
