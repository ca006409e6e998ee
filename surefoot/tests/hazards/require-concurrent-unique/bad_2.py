"""Add a serial number."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    # finds: require-concurrent-unique
    op.execute("ALTER TABLE jobs ADD COLUMN number text UNIQUE")


def downgrade() -> None:
    op.drop_column("jobs", "number")
