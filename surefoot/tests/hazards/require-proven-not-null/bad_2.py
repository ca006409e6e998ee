"""Require a rank of every job, by a constraint."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"
since = 18


def upgrade() -> None:
    # finds: require-proven-not-null
    op.execute("ALTER TABLE jobs ADD CONSTRAINT jobs_rank_known NOT NULL rank")


def downgrade() -> None:
    op.drop_constraint("jobs_rank_known", "jobs")
