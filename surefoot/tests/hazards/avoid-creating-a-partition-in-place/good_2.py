"""Have room for the events of 2027."""

from alembic import op

revision = "0002"
down_revision = "0001"
phase = "expand"


def upgrade() -> None:
    op.execute(
        "ALTER TABLE events ATTACH PARTITION events_2027 FOR VALUES FROM "
        "('2027-01-01+00') TO ('2028-01-01+00')"
    )


def downgrade() -> None:
    op.execute("ALTER TABLE events DETACH PARTITION events_2027")
