"""A tag is of a job."""

from alembic import op

revision = "0002"
down_revision = "0001"
phase = "expand"


def upgrade() -> None:
    op.execute("ALTER TABLE tags VALIDATE CONSTRAINT fk_tags_job_id")


def downgrade() -> None:
    """It stays as it is."""
