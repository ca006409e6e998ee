"""A slug is not empty."""

from alembic import op

revision = "0002"
down_revision = "0001"
phase = "expand"


def upgrade() -> None:
    op.execute("ALTER DOMAIN slug VALIDATE CONSTRAINT ck_slug")


def downgrade() -> None:
    """It stays as it is."""
