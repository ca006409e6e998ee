"""The place of a database in the chain, for the commands that look: current, history, check."""

from collections.abc import Collection, Sequence
from dataclasses import replace

from alembic.script import ScriptDirectory
from alembic.util import to_tuple

from surefoot.chain.revisions import Revision, heads
from surefoot.errors import CheckFailed, DatabaseBehind
from surefoot.errors.names import alembic, goal
from surefoot.ledger.glance import Glance
from surefoot.ledger.position import Position, position
from surefoot.version_table import VersionTable


def place(chain: Sequence[Revision], found: Glance, table: VersionTable) -> Position:
    """Compare the chain as Alembic has loaded it with both tables, not with the files' code."""
    in_force = found.recorded or {}
    told = [
        replace(each, sha256=in_force[each.id].checksum) if each.id in in_force else each
        for each in chain
    ]
    return position(told, found.heads, in_force, table, has_ledger=found.has_ledger)


def is_at_head(script: ScriptDirectory, rows: Collection[str]) -> bool:
    """Whether the version table names all heads, but not those that another revision depends on."""
    return frozenset(rows) == heads(chain_of(script))


def chain_of(script: ScriptDirectory) -> Sequence[Revision]:
    """The revisions, oldest first, without what Alembic does not know of them."""
    found = []
    for each in script.walk_revisions():
        down = to_tuple(each.down_revision, ())
        if each.dependencies:
            needed = script.get_revisions(to_tuple(each.dependencies))
            down = (*down, *(one.revision for one in needed))
        found.append(Revision(each.revision, down, phase="", slug="", sha256=""))
    return found[::-1]


def behind(
    database: str, script: ScriptDirectory, found: Glance, table: VersionTable
) -> CheckFailed:
    """Why the database is not at head. An upgrade helps only where both tables agree."""
    at = place(chain_of(script), found, table)
    if at.contradiction is not None:
        return at.contradiction.error(database)
    current = ", ".join(sorted(found.heads)) or "base"
    pending = [each.id for each in at.pending]
    return DatabaseBehind(database, current, ", ".join(script.get_heads()), pending)


def summary(database: str, script: ScriptDirectory, found: Glance, table: VersionTable) -> str:
    """Where the database is, in words, and the next command; empty at head."""
    at = place(chain_of(script), found, table)
    if at.contradiction is not None:
        return at.contradiction.error(database).render()
    if at.state == "current":
        return ""
    never = "its revisions were reverted" if found.has_ledger else "it was never migrated"
    current = ", ".join(sorted(found.heads)) or f"base: {never}"
    return f"{database} is at {current}. Next: {alembic()} upgrade {goal(script.get_heads())}"
