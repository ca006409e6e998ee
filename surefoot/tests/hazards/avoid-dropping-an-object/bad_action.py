"""Results go with their job."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    op.execute("ALTER TABLE results DROP CONSTRAINT fk_results_job_id")
    # finds: avoid-dropping-an-object
    op.execute(
        "ALTER TABLE results ADD CONSTRAINT fk_results_job_id FOREIGN KEY (job_id) "
        "REFERENCES jobs ON DELETE CASCADE NOT VALID"
    )


def downgrade() -> None:
    op.execute("ALTER TABLE results DROP CONSTRAINT fk_results_job_id")
    op.execute(
        "ALTER TABLE results ADD CONSTRAINT fk_results_job_id FOREIGN KEY (job_id) "
        "REFERENCES jobs NOT VALID"
    )
