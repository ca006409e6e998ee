"""Create a cache that is lost in a crash."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    op.execute("CREATE UNLOGGED TABLE cache_new (LIKE cache INCLUDING ALL)")


def downgrade() -> None:
    op.drop_table("cache_new")
