"""Say bytes for size_bytes in a view."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    # finds: avoid-renaming-a-column
    op.execute("ALTER VIEW running RENAME COLUMN size_bytes TO bytes")


def downgrade() -> None:
    op.execute("ALTER VIEW running RENAME COLUMN bytes TO size_bytes")
