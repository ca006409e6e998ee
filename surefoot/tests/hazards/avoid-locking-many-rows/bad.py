"""Read all tags, while nobody changes them."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    # finds: avoid-locking-many-rows
    op.execute("SELECT label FROM tags ORDER BY label FOR UPDATE")


def downgrade() -> None:
    """It changes nothing."""
