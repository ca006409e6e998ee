"""Forget the ranks."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    # finds: avoid-unbatched-change
    op.execute("UPDATE jobs SET rank = 0")


def downgrade() -> None:
    raise NotImplementedError("the former values are not kept")
