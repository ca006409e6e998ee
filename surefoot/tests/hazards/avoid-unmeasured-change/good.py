"""Correct rows by their keys."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    op.execute("UPDATE cache SET value = 'y' WHERE key = 'US'")
    op.execute("UPDATE jobs SET note = 'y' WHERE id = 7")
    op.execute("SELECT count(*) FROM jobs WHERE ref = 'US'")


def downgrade() -> None:
    """The former values are not kept."""
