"""One hash says which revisions a ledger has in force, and with which checksums.

SQL and Python compute the same. This module imports nothing, so that a first look needs no more.
"""

import hashlib
from collections.abc import Iterable

# The outcomes that say which revisions are in the database, see `table.applied`.
TELLING = ("applied", "adopted", "stamped", "accepted")
DIGITS = 16  # so much of each checksum is in the hash over all of them
# Of the revisions in force, ordered by id; `{table}` is the ledger.
IN_FORCE = f"""(
    SELECT encode(sha256(convert_to(coalesce(string_agg(
        revision || ' ' || left(checksum::text, {DIGITS}), ';' ORDER BY revision COLLATE "C"), ''),
        'UTF8')), 'hex')
    FROM (SELECT DISTINCT ON (revision) revision, checksum, direction FROM {{table}}
          WHERE outcome IN {TELLING} ORDER BY revision, id DESC) rows
    WHERE direction <> 'downgrade')"""  # noqa: S608 - constants and the name of our own table


def digest(checksums: Iterable[tuple[str, str]]) -> str:
    """One hash over revisions and their checksums in this order."""
    listing = ";".join(f"{revision} {checksum[:DIGITS]}" for revision, checksum in checksums)
    return hashlib.sha256(listing.encode()).hexdigest()
