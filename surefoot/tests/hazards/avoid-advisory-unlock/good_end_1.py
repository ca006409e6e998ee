"""Keep other jobs out until the commit."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    op.execute("SELECT pg_advisory_xact_lock(42)")
    op.execute("ALTER TABLE jobs ADD COLUMN number_1 integer")


def downgrade() -> None:
    op.drop_column("jobs", "number_1")
