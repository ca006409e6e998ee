"""All events of 2026 are of 2026."""

from alembic import op

revision = "0002"
down_revision = "0001"
phase = "expand"


def upgrade() -> None:
    op.execute("ALTER TABLE events_2026 VALIDATE CONSTRAINT ck_events_2026")


def downgrade() -> None:
    """It stays as it is."""
