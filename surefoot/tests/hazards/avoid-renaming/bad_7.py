"""Replace tables by one without rows, and by a view without a column."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    # finds: avoid-renaming
    op.execute("ALTER TABLE cache RENAME TO old_cache")
    op.execute("CREATE TABLE cache (key text PRIMARY KEY, value text)")


def downgrade() -> None:
    raise NotImplementedError("it is not what is looked at")
