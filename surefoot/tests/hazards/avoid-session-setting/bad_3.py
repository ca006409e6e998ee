"""Let tables belong to another role."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    # finds: avoid-session-setting
    op.execute("SET ROLE pg_monitor")
    op.execute("SELECT 1")


def downgrade() -> None:
    op.execute("SELECT 1")
