"""Limit every statement from here on."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    # finds: avoid-session-setting
    op.execute("SELECT set_config('statement_timeout', '30s', false)")
    op.execute("ALTER TABLE jobs ADD COLUMN number integer")


def downgrade() -> None:
    op.drop_column("jobs", "number")
