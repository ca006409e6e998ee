"""A document for each tag."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"
since = 18


def upgrade() -> None:
    op.execute("ALTER TABLE tags ADD COLUMN doc_id bigint")


def downgrade() -> None:
    op.drop_column("tags", "doc_id")
