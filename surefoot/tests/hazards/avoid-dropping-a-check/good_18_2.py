"""Say it no more."""

from alembic import op

revision = "0002"
down_revision = "0001"
phase = "expand"
since = 18


def upgrade() -> None:
    op.drop_constraint("ck_jobs_rank", "jobs")


def downgrade() -> None:
    op.execute("ALTER TABLE jobs ADD CONSTRAINT ck_jobs_rank CHECK (rank > 0) NOT ENFORCED")
