"""Build the index of a key of events."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    op.create_index_concurrently("pk_events_2026", "events_2026", ["at"], unique=True)


def downgrade() -> None:
    op.drop_index_concurrently("pk_events_2026")
