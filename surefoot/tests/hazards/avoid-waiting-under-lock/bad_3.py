"""Change a row, then lock its table, and wait."""

import time

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    op.execute("UPDATE cache SET value = 'a' WHERE key = 'a'")
    # finds: avoid-waiting-under-lock
    op.execute("ALTER TABLE cache ADD COLUMN place text")
    time.sleep(0.6)


def downgrade() -> None:
    raise NotImplementedError("it is not what is looked at")
