"""Let jobs pause, from the first moment on."""

from alembic import op

revision = "0002"
down_revision = "0001"
phase = "expand"


def upgrade() -> None:
    op.execute("ALTER TABLE jobs ALTER COLUMN status SET DEFAULT 'PAUSED'")


def downgrade() -> None:
    op.execute("ALTER TABLE jobs ALTER COLUMN status SET DEFAULT 'PENDING'")
