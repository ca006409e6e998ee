"""Require a rank of every new job."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"
since = 18


def upgrade() -> None:
    op.execute("ALTER TABLE jobs ADD CONSTRAINT jobs_rank_known NOT NULL rank NOT VALID")


def downgrade() -> None:
    op.drop_constraint("jobs_rank_known", "jobs")
