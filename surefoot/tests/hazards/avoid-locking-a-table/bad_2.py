"""Let nobody write the cache, without a wait."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    # finds: avoid-locking-a-table
    op.execute("LOCK cache IN SHARE MODE NOWAIT")


def downgrade() -> None:
    raise NotImplementedError("it is not what is looked at")
