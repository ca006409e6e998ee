"""Require a rank of every job."""

from alembic import op

revision = "0002"
down_revision = "0001"
phase = "expand"
since = 18


def upgrade() -> None:
    op.execute("ALTER TABLE jobs VALIDATE CONSTRAINT jobs_rank_known")


def downgrade() -> None:
    """It stays as it is."""
