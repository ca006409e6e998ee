"""Say attic for archive."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    # finds: avoid-renaming
    op.execute("ALTER SCHEMA archive RENAME TO attic")


def downgrade() -> None:
    op.execute("ALTER SCHEMA attic RENAME TO archive")
