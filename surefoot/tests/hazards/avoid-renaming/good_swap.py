"""Exchange the cache for one without rows, under its name."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    op.execute("CREATE TABLE cache_new (LIKE cache INCLUDING ALL)")
    op.execute("ALTER TABLE cache RENAME TO cache_old")
    op.execute("ALTER TABLE cache_new RENAME TO cache")


def downgrade() -> None:
    op.drop_table("cache")
    op.execute("ALTER TABLE cache_old RENAME TO cache")
