"""Put the events of 2020 aside."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "contract"


def upgrade() -> None:
    op.detach_partition_concurrently("events", "events_2020")


def downgrade() -> None:
    op.execute(
        "ALTER TABLE events ATTACH PARTITION events_2020 FOR VALUES FROM "
        "('2020-01-01+00') TO ('2021-01-01+00')"
    )
