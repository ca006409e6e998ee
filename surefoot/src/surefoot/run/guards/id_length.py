"""refuse_long_ids() stops a run before a revision whose id the version table could not hold.

Alembic writes the id after the revision has run: a step outside a transaction would be kept, and
its revision not recorded.
"""

from collections.abc import Sequence

from surefoot.chain.revisions import Revision
from surefoot.errors import RevisionIdTooLong
from surefoot.run.run import Run
from surefoot.version_table import ALEMBICS_LENGTH

_LENGTH = """
SELECT atttypmod - 4 FROM pg_catalog.pg_attribute
WHERE attrelid = to_regclass($1) AND attname = 'version_num'
"""


def refuse_long_ids(run: Run, revisions: Sequence[Revision]) -> None:
    """Compare the ids with the width of the column. On failure: RevisionIdTooLong."""
    longest = max(revisions, key=lambda revision: len(revision.id), default=None)
    if longest is None or len(longest.id) <= ALEMBICS_LENGTH:
        return
    table = run.project.version_table
    found = run.connection.exec_driver_sql(_LENGTH, (table.quoted,)).scalar()
    run.connection.rollback()
    # A type without a width has a negative one.
    if found is None or 0 <= found < len(longest.id):
        width = ALEMBICS_LENGTH if found is None else found
        raise RevisionIdTooLong(longest.id, len(longest.id), table.name, table.quoted, width)
