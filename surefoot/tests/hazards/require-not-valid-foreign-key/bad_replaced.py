"""Replace a foreign key by another one of its name."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    # finds: require-not-valid-foreign-key
    op.execute(
        "ALTER TABLE results DROP CONSTRAINT fk_results_job_id, "
        "ADD CONSTRAINT fk_results_job_id FOREIGN KEY (job_id) REFERENCES jobs DEFERRABLE"
    )


def downgrade() -> None:
    raise NotImplementedError("it is not what is looked at")
