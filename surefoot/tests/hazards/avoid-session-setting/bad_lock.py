"""Keep other jobs out."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    # finds: avoid-session-setting
    op.execute("SELECT pg_advisory_lock(42)")
    op.execute("ALTER TABLE jobs ADD COLUMN number integer")


def downgrade() -> None:
    op.drop_column("jobs", "number")
