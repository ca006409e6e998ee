"""Drop a year of events."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "contract"


def upgrade() -> None:
    # finds: require-concurrent-detach
    op.drop_table("events_2020")


def downgrade() -> None:
    raise NotImplementedError("the events are gone")
