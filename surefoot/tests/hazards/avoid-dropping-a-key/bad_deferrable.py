"""Values of the cache may be the same until the commit."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    # finds: avoid-dropping-a-key
    # finds: require-concurrent-index-drop
    op.execute("DROP INDEX ux_cache_value")
    # finds: avoid-work-under-access-exclusive
    # finds: require-concurrent-unique
    op.execute("ALTER TABLE cache ADD CONSTRAINT ux_cache_value UNIQUE (value) DEFERRABLE")


def downgrade() -> None:
    op.execute("ALTER TABLE cache DROP CONSTRAINT ux_cache_value")
    op.execute("CREATE UNIQUE INDEX ux_cache_value ON cache (value)")
