"""A backfill starts from the beginning once the revision that it needs was reverted."""

from surefoot.ledger.table import Ledger
from surefoot.quoting import literal
from surefoot.version_table import VersionTable

# The newest row about a backfill names the revision that it needed; its words begin with its name.
_FORGET = """DO $surefoot$
BEGIN
    IF to_regclass({name}) IS NOT NULL AND to_regclass({ledger_name}) IS NOT NULL THEN
        IF has_table_privilege({name}, 'DELETE') THEN
            DELETE FROM {backfills} b WHERE {revision} = (
                SELECT l.revision FROM {ledger} l
                WHERE l.outcome = 'backfill' AND split_part(l.reason, ' ', 1) = b.name
                ORDER BY l.id DESC LIMIT 1);
        END IF;
    END IF;
END $surefoot$"""


def forget_backfills(table: VersionTable, ledger: Ledger, revision: str) -> str:
    """The statement that forgets how far the backfills came that need a reverted revision."""
    backfills = table.backfills[0]
    return _FORGET.format(
        backfills=backfills,
        name=literal(backfills),
        ledger=ledger.names["table"],
        ledger_name=literal(ledger.names["table"]),
        revision=literal(revision),
    )
