"""Keep the values unique in some rows alone."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    # finds: require-concurrent-index
    op.execute("CREATE UNIQUE INDEX ux_cache_some ON cache (value) WHERE value > ''")
    # finds: require-concurrent-index-drop
    # finds: avoid-dropping-a-key
    op.execute("DROP INDEX ux_cache_value")


def downgrade() -> None:
    raise NotImplementedError("it is not what is looked at")
