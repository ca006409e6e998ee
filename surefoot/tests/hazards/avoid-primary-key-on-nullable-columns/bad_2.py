"""Give the cache another key, by an index that is there."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    # finds: avoid-dropping-a-key
    op.execute("ALTER TABLE cache DROP CONSTRAINT cache_pkey")
    # finds: avoid-primary-key-on-nullable-columns
    # finds: avoid-work-under-access-exclusive
    op.execute("ALTER TABLE cache ADD PRIMARY KEY USING INDEX ux_cache_value")


def downgrade() -> None:
    op.drop_constraint("cache_pkey", "cache")
