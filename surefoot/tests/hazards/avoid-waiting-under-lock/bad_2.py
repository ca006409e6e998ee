"""Wait beside a lock, in Python."""

import time

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    # finds: avoid-waiting-under-lock
    op.execute("ALTER TABLE jobs ADD COLUMN number integer")
    time.sleep(0.6)
    op.execute("COMMENT ON COLUMN jobs.number IS 'a number'")


def downgrade() -> None:
    op.drop_column("jobs", "number")
