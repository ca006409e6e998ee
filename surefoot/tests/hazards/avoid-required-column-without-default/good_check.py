"""A job may have a source, or a target, and each has a lane."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    op.execute("ALTER TABLE jobs ADD COLUMN source text, ADD COLUMN target text")
    op.execute(
        "ALTER TABLE jobs ADD CONSTRAINT ck_jobs_source "
        "CHECK (source IS NULL OR target IS NOT NULL) NOT VALID"
    )
    op.execute("ALTER TABLE jobs ADD COLUMN lane integer DEFAULT 1")
    op.execute("ALTER TABLE jobs ADD CONSTRAINT ck_jobs_lane CHECK (lane IS NOT NULL) NOT VALID")


def downgrade() -> None:
    op.execute("ALTER TABLE jobs DROP COLUMN source, DROP COLUMN target, DROP COLUMN lane")
