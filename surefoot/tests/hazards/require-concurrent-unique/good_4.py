"""No event of 2020 twice."""

from alembic import op

revision = "0004"
down_revision = "0003"
phase = "expand"


def upgrade() -> None:
    op.execute(
        "ALTER TABLE events_2020 ADD CONSTRAINT uq_events_2020 UNIQUE USING INDEX uq_events_2020"
    )


def downgrade() -> None:
    op.drop_constraint("uq_events_2020", "events_2020")
