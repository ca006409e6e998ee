"""Let a job be without a code."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    # finds: avoid-dropping-not-null
    op.alter_column("jobs", "code", nullable=True)


def downgrade() -> None:
    op.alter_column("jobs", "code", nullable=False)
