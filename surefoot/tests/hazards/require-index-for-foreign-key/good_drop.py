"""Drop an index with the foreign key that needs it."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "contract"


def upgrade() -> None:
    # finds: require-concurrent-index-drop
    op.drop_index("ix_results_job_id")
    # finds: avoid-locking-two-tables
    op.drop_constraint(op.f("fk_results_job_id"), "results")


def downgrade() -> None:
    raise NotImplementedError("it is not what is looked at")
