"""Drop the index that a foreign key needs."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    # finds: require-concurrent-index-drop
    # finds: require-index-for-foreign-key
    op.drop_index("ix_results_job_id")


def downgrade() -> None:
    raise NotImplementedError("it is not what is looked at")
