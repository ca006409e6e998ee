"""Give tags a key."""

from alembic import op

revision = "0005"
down_revision = "0004"
phase = "expand"


def upgrade() -> None:
    op.execute("ALTER TABLE tags ADD CONSTRAINT pk_tags PRIMARY KEY USING INDEX pk_tags")


def downgrade() -> None:
    op.drop_constraint("pk_tags", "tags")
