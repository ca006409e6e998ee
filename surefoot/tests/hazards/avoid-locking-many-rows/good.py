"""Read a tag, while nobody changes it, and all of them."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    op.execute("SELECT label FROM tags WHERE job_id = 7 FOR UPDATE")
    op.execute("SELECT label FROM tags")


def downgrade() -> None:
    """It changes nothing."""
