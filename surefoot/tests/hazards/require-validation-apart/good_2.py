"""No rank is negative."""

from alembic import op

revision = "0002"
down_revision = "0001"
phase = "expand"


def upgrade() -> None:
    op.execute("ALTER TABLE jobs VALIDATE CONSTRAINT ck_jobs_rank")


def downgrade() -> None:
    """It stays as it is."""
