"""Build the index of a key of tags."""

from alembic import op

revision = "0004"
down_revision = "0003"
phase = "expand"


def upgrade() -> None:
    op.create_index_concurrently("pk_tags", "tags", ["label"], unique=True)


def downgrade() -> None:
    op.drop_index_concurrently("pk_tags")
