"""Give a job's status fewer values."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    # finds: avoid-type-change
    op.replace_enum(
        "job_status", ["PENDING", "RUNNING", "DONE", "FAILED"], columns=[("jobs", "status")]
    )


def downgrade() -> None:
    op.replace_enum("job_status", ["PENDING", "RUNNING", "DONE"], columns=[("jobs", "status")])
