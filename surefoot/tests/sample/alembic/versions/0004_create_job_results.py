"""Create job_results."""

from alembic import op

revision = "0004"
down_revision = "0003"
phase = "expand"


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE job_results (
            job_id bigint NOT NULL,
            summary jsonb NOT NULL,
            created_at timestamptz NOT NULL DEFAULT now(),
            CONSTRAINT fk_job_results_job_id_jobs
                FOREIGN KEY (job_id) REFERENCES jobs ON DELETE CASCADE,
            CONSTRAINT pk_job_results PRIMARY KEY (job_id)
        )
        """
    )


def downgrade() -> None:
    op.execute("DROP TABLE job_results")
