"""Every new job has a source."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    op.execute("ALTER TABLE jobs ADD COLUMN source text")
    # finds: avoid-required-column-without-default
    op.execute(
        "ALTER TABLE jobs ADD CONSTRAINT ck_jobs_source "
        "CHECK (source IS NOT NULL AND source <> '') NOT VALID"
    )


def downgrade() -> None:
    op.execute("ALTER TABLE jobs DROP COLUMN source")
