"""Count the events of 2026 among the events."""

from alembic import op

revision = "0003"
down_revision = "0002"
phase = "expand"


def upgrade() -> None:
    op.execute(
        "ALTER TABLE events ATTACH PARTITION events_2026 FOR VALUES FROM "
        "('2026-01-01+00') TO ('2027-01-01+00')"
    )


def downgrade() -> None:
    op.execute("ALTER TABLE events DETACH PARTITION events_2026")
