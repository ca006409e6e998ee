"""Correct a reference."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    # finds: avoid-unmeasured-change
    op.execute("UPDATE jobs SET note = 'y' WHERE ref = 'US'")
    # finds: avoid-unmeasured-change
    op.execute("DELETE FROM jobs WHERE ref IN ('DE', 'FR')")


def downgrade() -> None:
    """The former values are not kept."""
