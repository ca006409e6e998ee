"""Require a label of every tag."""

from alembic import op

revision = "0003"
down_revision = "0002"
phase = "expand"


def upgrade() -> None:
    op.alter_column("tags", "label", nullable=False)
    op.drop_constraint("ck_tags_label", "tags")


def downgrade() -> None:
    op.alter_column("tags", "label", nullable=True)
