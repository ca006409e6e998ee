"""The place of a database in the chain, for the commands that look: current, history, check."""

from alembic.script import ScriptDirectory
from alembic.util import to_tuple

from surefoot.chain.revisions import Revision
from surefoot.errors import CheckFailed, DatabaseBehind
from surefoot.ledger.glance import Glance
from surefoot.ledger.position import Position, position
from surefoot.version_table import VersionTable


def place(script: ScriptDirectory, found: Glance, table: VersionTable) -> Position:
    """Compare the chain as Alembic has loaded it with both tables, not with the files' code."""
    in_force = found.recorded or {}
    chain = [
        Revision(
            each.revision,
            (*to_tuple(each.down_revision, ()), *to_tuple(each.dependencies, ())),
            phase="",
            slug="",
            sha256=in_force[each.revision].checksum if each.revision in in_force else "",
        )
        for each in script.walk_revisions()
    ]
    return position(chain[::-1], found.heads, in_force, table, has_ledger=found.has_ledger)


def behind(
    database: str, script: ScriptDirectory, found: Glance, table: VersionTable
) -> CheckFailed:
    """Why the database is not at head. An upgrade helps only where both tables agree."""
    at = place(script, found, table)
    if at.contradiction is not None:
        return at.contradiction.error(database)
    pending = [
        each.revision for each in script.iterate_revisions("heads", tuple(found.heads) or "base")
    ]
    current = ", ".join(sorted(found.heads)) or "base"
    return DatabaseBehind(database, current, ", ".join(script.get_heads()), pending[::-1])


def summary(database: str, script: ScriptDirectory, found: Glance, table: VersionTable) -> str:
    """Where the database is, in words, and the next command; empty at head."""
    at = place(script, found, table)
    if at.contradiction is not None:
        return at.contradiction.error(database).render()
    if found.heads == set(script.get_heads()):
        return ""
    never = "its revisions were reverted" if found.has_ledger else "it was never migrated"
    heads = ", ".join(sorted(found.heads)) or f"base: {never}"
    return f"{database} is at {heads}. Next: alembic upgrade head"
