"""An event is of a job."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    # finds: require-concurrent-index
    op.execute("CREATE INDEX ON events (job_id)")
    # finds: require-not-valid-foreign-key
    # finds: avoid-locking-two-tables
    op.create_foreign_key("fk_events_job_id", "events", "jobs", ["job_id"], ["id"])


def downgrade() -> None:
    op.drop_constraint("fk_events_job_id", "events")
