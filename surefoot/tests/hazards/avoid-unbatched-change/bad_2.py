"""Forget the tags."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    # finds: avoid-unbatched-change
    op.execute("DELETE FROM tags")


def downgrade() -> None:
    raise NotImplementedError("the rows are not kept")
