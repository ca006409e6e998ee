"""Change many rows by their keys, and some by a prepared statement."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"
# Older ones read the whole table for so many keys, which is found by another rule.
since = 17


def upgrade() -> None:
    keys = [*range(10**9, 10**9 + 120)]
    # finds: avoid-unmeasured-change
    op.get_bind().execute(sa.text("UPDATE jobs SET ref = '' WHERE id = ANY(:keys)"), {"keys": keys})
    op.execute("PREPARE fix AS UPDATE tags SET kind = $1 WHERE job_id = -1")
    # finds: avoid-unmeasured-change
    op.execute("EXECUTE fix('a')")
    # finds: avoid-unmeasured-change
    op.execute("DO $$ BEGIN DELETE FROM tags WHERE job_id = -1; END $$")


def downgrade() -> None:
    raise NotImplementedError("it is not what is looked at")
