"""No tag twice."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    # finds: require-concurrent-unique
    op.create_unique_constraint("uq_tags_label", "tags", ["label"])


def downgrade() -> None:
    op.drop_constraint("uq_tags_label", "tags")
