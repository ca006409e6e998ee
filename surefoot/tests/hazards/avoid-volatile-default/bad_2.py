"""Note when a job was seen, by the clock."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    # finds: avoid-volatile-default
    op.execute("ALTER TABLE jobs ADD COLUMN seen timestamptz DEFAULT clock_timestamp()")


def downgrade() -> None:
    op.drop_column("jobs", "seen")
