"""`alembic history`: what there is, and which of it the database has."""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any

from alembic.config import Config
from alembic.script import Script, ScriptDirectory
from sqlalchemy import Engine

from surefoot.chain.titles import title_in
from surefoot.compat.sqlalchemy import greenlet_spawn
from surefoot.connect.failures import explained
from surefoot.environment.commandline import say
from surefoot.environment.place import chain_of, place
from surefoot.errors import SurefootError, UsageError
from surefoot.errors.disclosure import disclosed
from surefoot.errors.names import alembic, goal
from surefoot.ledger.glance import Glance, read
from surefoot.version_table import VersionTable
from surefoot.wording import counted

Opened = Callable[[], AbstractContextManager[Engine]]


def history(
    config: Config,
    script: ScriptDirectory,
    engine: Opened,
    version_table: VersionTable = VersionTable(),
    phases: Mapping[str, str] | None = None,
) -> None:
    """Print the revisions, newest first, each with its state in the database.

    Their modules tell the phases where nobody knows them. Without a database the list is still
    printed, and the reason said.
    """
    found: Glance | None
    try:
        database, found = asyncio.run(greenlet_spawn(_look, engine, version_table))
    except SurefootError as error:
        database, found = "", None
        say(f"{error.render()}\nThe list below says nothing of the database.\n")
    options = config.cmd_opts
    base, head = _range(getattr(options, "rev_range", None), found)
    revisions = [item for item in script.walk_revisions(base, head) if isinstance(item, Script)]
    states = {} if found is None else _states(script, database, found, version_table)
    if getattr(options, "verbose", False):
        for revision in revisions:
            entry = disclosed(revision.log_entry)
            state = states.get(revision.revision, "unknown")
            config.print_stdout("State: %s\n%s", state, entry)
    else:
        width = max((len(item.revision) for item in revisions), default=0)
        for revision in revisions:
            state = states.get(revision.revision, "unknown")
            title = disclosed(title_in(revision.doc))
            phase = phases[revision.revision] if phases else getattr(revision.module, "phase", "")
            config.print_stdout(f"{state:<7}  {revision.revision:<{width}}  {phase:<8}  {title}")
    shown = [states.get(item.revision) for item in revisions]
    pending = shown.count("pending")
    summary = counted(len(revisions), "revision") + (f", {pending} pending" if states else "")
    is_next = pending and None not in shown
    following = f" Next: {alembic()} upgrade {goal(script.get_heads())}" if is_next else ""
    say(f"{summary}.{following}")


def _look(engine: Opened, version_table: VersionTable) -> tuple[str, Glance]:
    with engine() as opened, explained(opened.url), opened.connect() as connection:
        return opened.url.database or "(default)", read(connection, version_table)


def _range(given: str | None, found: Glance | None) -> tuple[Any, Any]:
    if given is None:
        return "base", "heads"
    start, colon, end = given.strip().partition(":")
    if not colon:
        raise UsageError(
            f"{given!r} is not a range of revisions", help="write it as 0002:0005, 0002: or :0005"
        )
    current = tuple(sorted(found.heads)) if found and found.heads else "base"
    ends = [current if name == "current" else name for name in (start, end)]
    return ends[0] or "base", ends[1] or "heads"


def _states(
    script: ScriptDirectory, database: str, found: Glance, table: VersionTable
) -> Mapping[str, str]:
    """The state of each revision that both tables agree on."""
    chain = chain_of(script)
    ids = frozenset(each.id for each in chain)
    at, in_force = place(chain, found, table), frozenset(found.recorded or {})
    if at.contradiction is not None:
        say(f"{at.contradiction.error(database).render()}\n")
    elif at.strangers:
        say(f"the database is ahead of this build: {', '.join(map(str, at.strangers))}\n")
    if not found.heads <= ids:
        # Nothing but the ledger knows which of this build's revisions a newer build has applied.
        return {each: "applied" if each in in_force else "pending" for each in ids if in_force}
    pending = frozenset(each.id for each in at.pending)
    agreed = {
        each for each in ids if not found.has_ledger or (each in in_force) != (each in pending)
    }
    return {each: "pending" if each in pending else "applied" for each in agreed}
