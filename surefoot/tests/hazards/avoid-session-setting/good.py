"""Let names mean others for this revision."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    op.execute("SET LOCAL search_path = public, archive")
    op.execute("SET work_mem = '64MB'")
    op.execute("ALTER TABLE jobs ADD COLUMN number integer")
    op.execute("RESET work_mem")


def downgrade() -> None:
    op.drop_column("jobs", "number")
