"""Say what a rank is, and refuse nothing."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"
since = 18


def upgrade() -> None:
    op.execute("ALTER TABLE jobs ADD CONSTRAINT ck_jobs_rank CHECK (rank > 0) NOT ENFORCED")


def downgrade() -> None:
    op.drop_constraint("ck_jobs_rank", "jobs")
