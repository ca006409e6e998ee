"""Lock the jobs of a size."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    # finds: avoid-locking-many-rows
    op.execute("SELECT id FROM jobs WHERE size_bytes >= 0 FOR UPDATE")


def downgrade() -> None:
    op.execute("SELECT 1")
