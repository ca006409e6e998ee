"""No tag twice."""

from alembic import op

revision = "0002"
down_revision = "0001"
phase = "expand"


def upgrade() -> None:
    op.execute("ALTER TABLE tags ADD CONSTRAINT uq_tags_label UNIQUE USING INDEX uq_tags_label")


def downgrade() -> None:
    op.drop_constraint("uq_tags_label", "tags")
