"""Wait beside a lock, in the server."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    op.execute("ALTER TABLE jobs ADD COLUMN number integer")
    # finds: avoid-waiting-under-lock
    op.execute("SELECT pg_sleep(0.6)")


def downgrade() -> None:
    op.drop_column("jobs", "number")
