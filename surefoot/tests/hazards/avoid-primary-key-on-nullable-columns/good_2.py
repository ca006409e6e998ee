"""See that every tag has a label."""

from alembic import op

revision = "0002"
down_revision = "0001"
phase = "expand"


def upgrade() -> None:
    op.execute("ALTER TABLE tags VALIDATE CONSTRAINT ck_tags_label")


def downgrade() -> None:
    """It stays as it is."""
