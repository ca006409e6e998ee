"""Give tags a key, with its index."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    # finds: avoid-primary-key-on-nullable-columns
    # finds: require-concurrent-primary-key
    op.create_primary_key("pk_tags", "tags", ["label"])


def downgrade() -> None:
    op.drop_constraint("pk_tags", "tags")
