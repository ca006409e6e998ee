"""Give events a key."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    # finds: require-concurrent-primary-key
    op.create_primary_key("pk_events_2026", "events_2026", ["at"])


def downgrade() -> None:
    op.drop_constraint("pk_events_2026", "events_2026")
