"""Lose the cache in a crash."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    # finds: avoid-changing-persistence
    op.execute("ALTER TABLE cache SET UNLOGGED")


def downgrade() -> None:
    op.execute("ALTER TABLE cache SET LOGGED")
