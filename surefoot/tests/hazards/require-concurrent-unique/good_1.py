"""Build the index of a key of tags."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    op.create_index_concurrently("uq_tags_label", "tags", ["label"], unique=True)


def downgrade() -> None:
    op.drop_index_concurrently("uq_tags_label")
