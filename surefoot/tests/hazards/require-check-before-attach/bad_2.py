"""Let the first shard be one of its own."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    # finds: require-check-before-attach
    op.execute("ALTER TABLE shards ATTACH PARTITION shards_1 FOR VALUES IN (1)")


def downgrade() -> None:
    op.execute("ALTER TABLE shards DETACH PARTITION shards_1")
