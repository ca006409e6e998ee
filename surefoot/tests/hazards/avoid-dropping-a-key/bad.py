"""Drop a unique index."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    # finds: avoid-dropping-a-key
    # finds: require-concurrent-index-drop
    op.drop_index("ux_cache_value")


def downgrade() -> None:
    raise NotImplementedError("it is not what is looked at")
