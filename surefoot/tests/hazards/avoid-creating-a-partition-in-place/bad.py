"""Have room for the events of 2027."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    # finds: avoid-creating-a-partition-in-place
    op.execute(
        "CREATE TABLE events_2027 PARTITION OF events FOR VALUES FROM ('2027-01-01+00') "
        "TO ('2028-01-01+00')"
    )


def downgrade() -> None:
    op.drop_table("events_2027")
