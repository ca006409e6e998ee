"""Exchange the cache with a copy, without what is written meanwhile."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    op.execute("CREATE TABLE cache_new (LIKE cache INCLUDING ALL)")
    op.execute("INSERT INTO cache_new SELECT * FROM cache")
    # finds: avoid-renaming
    op.rename_table("cache", "cache_old")
    op.rename_table("cache_new", "cache")


def downgrade() -> None:
    op.rename_table("cache", "cache_new")
    op.rename_table("cache_old", "cache")
    op.drop_table("cache_new")
