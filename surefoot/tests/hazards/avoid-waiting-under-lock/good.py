"""Wait before the lock."""

import time

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    op.execute("SELECT pg_sleep(0.6)")
    time.sleep(0.6)
    op.execute("ALTER TABLE jobs ADD COLUMN number integer")


def downgrade() -> None:
    op.drop_column("jobs", "number")
