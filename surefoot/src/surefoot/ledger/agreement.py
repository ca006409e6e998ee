"""Agreement says whether a database is what revisions.lock expects at its revision.

    revisions.lock x version table -> the fingerprint expected --+-> agrees: yes, no, not known
    catalog ------------------------> the fingerprint found -----+

It is shown, and no reason to refuse service. The command `drift` lists the differences.
"""

from collections.abc import Collection, Sequence

from sqlalchemy import Connection

from surefoot import catalog
from surefoot.chain.revisions import Revision, ancestors
from surefoot.frozen import dataclass
from surefoot.ledger.glance import heads_of
from surefoot.version_table import VersionTable


@dataclass(frozen=True)
class Agreement:
    """The fingerprint that a database should have at its revision, and the one that it has."""

    revision: str
    expected: str | None
    found: str

    @property
    def agrees(self) -> bool | None:
        """Whether they are equal; None where the lock has none that is comparable."""
        return None if self.expected is None else self.expected == self.found


def compare(
    connection: Connection,
    locked: Sequence[Revision],
    version_table: VersionTable = VersionTable(),
    schemas: Sequence[str] = (),
    exclude: Collection[str] = (),
) -> Agreement:
    """Compare the whole schema with the lock: about ten milliseconds of reading the catalogs.

    The tables in `exclude` are left out. It needs read access only and writes nothing. Call it at
    most once a minute.
    """
    heads = heads_of(connection, version_table)
    found = catalog.fingerprint(connection, schemas, version_table, exclude)
    return Agreement(", ".join(heads) or "base", expected_fingerprint(locked, heads), found)


def expected_fingerprint(locked: Sequence[Revision], heads: Collection[str]) -> str | None:
    """The fingerprint of the schema at these revisions; None where the lock has none.

    That of a line is taken after it and all lines before it, so in a chain with branches it holds
    for a database that has exactly these.
    """
    if not heads:
        return catalog.NOTHING.fingerprint()
    below = ancestors(locked, heads)
    first = locked[: len(below)]
    return first[-1].fingerprint if first and below == {each.id for each in first} else None
