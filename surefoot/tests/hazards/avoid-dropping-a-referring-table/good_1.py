"""Let the results refer to nothing."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "contract"


def upgrade() -> None:
    op.drop_constraint("fk_results_job_id", "results")


def downgrade() -> None:
    op.create_foreign_key("fk_results_job_id", "results", "jobs", ["job_id"], ["id"])
