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
from surefoot.ledger.glance import Glance, read
from surefoot.ledger.integrity import strangers
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
    found: Glance | None
    try:
        found = asyncio.run(_look(engine, version_table))
    except SurefootError as error:
        found = None
        say(f"{error.render()}\nThe list below says nothing of the database.\n")
    options = config.cmd_opts
    base, head = _range(getattr(options, "rev_range", None), found)
    revisions = [item for item in script.walk_revisions(base, head) if isinstance(item, Script)]
    waiting = None if found is None else _pending(script, found)
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
    summary = f"{len(revisions)} revisions" + ("" if waiting is None else f", {pending} pending")
    say(f"{summary}. Next: alembic upgrade head" if pending else f"{summary}.")


async def _look(engine: Engine, version_table: VersionTable) -> Glance:
    with engine() as opened, explained(opened.url):
        async with opened.connect() as connection:
            return await connection.run_sync(read, version_table)


def _range(given: str | None, found: Glance | None) -> tuple[str, str]:
    if given is None:
        return "base", "heads"
    start, colon, end = given.strip().partition(":")
    if not colon:
        raise UsageError(
            f"{given!r} is not a range of revisions", help="write it as 0002:0005, 0002: or :0005"
        )
    current = ", ".join(sorted(found.heads) if found else ()) or "base"
    start, end = (current if name == "current" else name for name in (start, end))
    return start or "base", end or "heads"


def _pending(script: ScriptDirectory, found: Glance) -> frozenset[str] | None:
    """The pending revisions; None where nothing knows what of them a newer build has applied."""
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
    ids, in_force = frozenset(each.id for each in chain), found.recorded or {}
    if found.heads <= ids:
        return frozenset(each.id for each in position(chain, found.heads, {}).pending)
    newer = ", ".join(map(str, strangers(chain, found.heads, in_force)))
    say(f"the database is ahead of this build: {newer}\n")
    return ids - frozenset(in_force) if in_force else None


def _state(revision: Script, pending: Collection[str] | None) -> str:
    if pending is None:
        return "unknown"
    return "pending" if revision.revision in pending else "applied"
