"""Number one job."""

from alembic import op

revision = "0002"
down_revision = "0001"
phase = "expand"


def upgrade() -> None:
    op.execute("UPDATE jobs SET number = 1 WHERE id = 1")


def downgrade() -> None:
    op.execute("UPDATE jobs SET number = 0 WHERE id = 1")
