"""A new log is of a job."""

from alembic import op

revision = "0002"
down_revision = "0001"
phase = "expand"


def upgrade() -> None:
    op.create_foreign_key(
        "fk_logs_job_id", "logs", "jobs", ["job_id"], ["id"], postgresql_not_valid=True
    )


def downgrade() -> None:
    op.drop_constraint("fk_logs_job_id", "logs")
