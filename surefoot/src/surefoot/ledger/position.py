"""position() says where a database is: the revisions of a build x the version table x the ledger.

    current         at the heads of the build
    behind          some revisions of the build are pending
    never-migrated  all are, and nothing was ever applied
    ahead           it has revisions of a newer build, after all of this one's
    diverged        the three contradict each other

Sets of ids are compared, never one row. Pure functions; `glance` and `heads_of` read the tables.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Literal

from surefoot.chain.revisions import Revision, ancestors, heads
from surefoot.errors import DatabaseDiverged, Refused
from surefoot.errors.names import arguments, command, taken_back
from surefoot.frozen import dataclass
from surefoot.ledger.integrity import Stranger, check_integrity, strangers
from surefoot.ledger.table import Row
from surefoot.version_table import VersionTable

State = Literal["current", "behind", "never-migrated", "ahead", "diverged"]

_LOST = "deploy the build that has it, or restore the database that belongs to this one; "
_BRANCHED = "two builds that do not know each other migrated it: deploy one that has both revisions"


@dataclass(frozen=True)
class Contradiction:
    """Why build, version table and ledger cannot all be right, and what helps."""

    why: str
    help: str
    # Where a revision file differs from what was applied: the error of a run.
    refusal: Refused | None = None

    def error(self, database: str) -> DatabaseDiverged:
        """The same as the error of a check."""
        return DatabaseDiverged(database, self.why, self.help)


@dataclass(frozen=True)
class Position:
    """Where a database is, seen from a build."""

    state: State
    # Revisions of the build that the database lacks; the order is that of the chain.
    pending: tuple[Revision, ...] = ()
    # Revisions of the database that the build does not have, oldest first.
    strangers: tuple[Stranger, ...] = ()
    # Whether the build's code works after all of them.
    tolerated: bool = True
    contradiction: Contradiction | None = None


def position(
    revisions: Sequence[Revision],
    in_database: Collection[str],
    recorded: Mapping[str, Row] | None,
    version_table: VersionTable = VersionTable(),
    *,
    has_ledger: bool = False,
) -> Position:
    """Compare a build with a database.

    `in_database` are the ids that the version table names; `recorded` the ledger's rows in force,
    empty where there is none, None where they are the revisions of the build, unchanged.
    `has_ledger` says whether the ledger tells of any revision, reverted ones included.
    """
    found = frozenset(in_database)
    below = ancestors(revisions, found)
    ahead = strangers(revisions, found, recorded or {})
    contradiction = _contradiction(revisions, found, recorded, version_table.name, has_ledger)
    # A newer build may follow one branch of several: only the ledger knows what it has applied.
    has_all = recorded is None or all(each.id in recorded for each in revisions)
    if contradiction is not None:
        state: State = "diverged"
    elif not found:
        state = "behind" if has_ledger else "never-migrated"
    elif ahead:
        state = "ahead"
    else:
        state = "current" if len(below) == len(revisions) else "behind"
    return Position(
        state,
        () if state == "ahead" else tuple(r for r in revisions if r.id not in below),
        ahead,
        (state != "ahead" or has_all) and all(each.tolerates(revisions) for each in ahead),
        contradiction,
    )


def _contradiction(
    revisions: Sequence[Revision],
    found: frozenset[str],
    recorded: Mapping[str, Row] | None,
    table: str,
    has_ledger: bool,
) -> Contradiction | None:
    ids = {revision.id for revision in revisions}
    in_force = ids if recorded is None else set(recorded)
    newest = sorted(heads([each for each in revisions if each.id in in_force]))
    if recorded and not in_force <= ids:
        newest = [next(reversed(list(recorded)))]
    adopt = f"`{command()} ops adopt {{}} --reason …` records where the schema is"
    by_hand = (
        f"{table} was written by somebody else: `{command()} ledger` shows what was done, "
        f"{adopt.format(arguments(newest) if newest else 'REV')}"
    )
    if unknown := found - ids - in_force:
        return Contradiction(
            f"it is at {_listed(unknown)}, which neither this build nor its ledger knows",
            _LOST + taken_back(),
        )
    if in_force and not found:
        return Contradiction(f"{table} is empty, and the ledger is at {', '.join(newest)}", by_hand)
    known = found & ids
    if found - ids:
        # A newer build was here: it knows more of the order than this one. It had this one's
        # revisions, unless all heads are missing; a database may follow one branch of several.
        lacking, ends = ids - in_force, heads(revisions)
        if (lacking and in_force.isdisjoint(ends)) or len(found) > 1 == len(ends):
            lacks = f" and lacks {_listed(lacking)}" if lacking else ""
            return Contradiction(
                f"it is at {_listed(found)}{lacks}",
                f"{_BRANCHED}; if one was renamed, {adopt.format('REV')}; {taken_back()}",
            )
        known = frozenset(ids & in_force)
    else:
        if above := in_force - ancestors(revisions, known):
            return Contradiction(
                f"it is at {_listed(known)}, and the ledger has {_listed(above)} too", by_hand
            )
        if any(head in ancestors(revisions, known - {head}) for head in known):
            return Contradiction(f"of its rows {_listed(known)} one builds on another", by_hand)
    ours = {identifier: row for identifier, row in (recorded or {}).items() if identifier in ids}
    try:
        check_integrity(revisions, known, ours, has_ledger=has_ledger and recorded is not None)
    except Refused as error:
        return Contradiction(error.message, error.help or by_hand, error)
    return None


def _listed(identifiers: Iterable[str]) -> str:
    return ", ".join(sorted(identifiers))
