"""A tag is of a job."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    op.create_foreign_key(
        "fk_tags_job_id", "tags", "jobs", ["job_id"], ["id"], postgresql_not_valid=True
    )
    # finds: require-validation-apart
    # finds: avoid-work-under-write-lock
    op.execute("ALTER TABLE tags VALIDATE CONSTRAINT fk_tags_job_id")


def downgrade() -> None:
    op.drop_constraint("fk_tags_job_id", "tags")
