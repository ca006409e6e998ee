"""Every event of a job has a known job."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    # finds: require-not-valid-check
    op.create_check_constraint(op.f("ck_events_job"), "events", "job_id > 0")


def downgrade() -> None:
    op.drop_constraint("ck_events_job", "events")
