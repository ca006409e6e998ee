"""Let names mean others."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    # finds: avoid-session-setting
    op.execute("SET search_path = public, archive")
    op.execute("ALTER TABLE jobs ADD COLUMN number integer")


def downgrade() -> None:
    op.drop_column("jobs", "number")
