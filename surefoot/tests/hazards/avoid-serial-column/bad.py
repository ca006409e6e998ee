"""Number the jobs."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    # finds: avoid-serial-column
    # finds: avoid-serial-key
    op.execute("ALTER TABLE jobs ADD COLUMN number bigserial")


def downgrade() -> None:
    op.drop_column("jobs", "number")
