"""Give events a key."""

from alembic import op

revision = "0002"
down_revision = "0001"
phase = "expand"


def upgrade() -> None:
    op.execute(
        "ALTER TABLE events_2026 ADD CONSTRAINT pk_events_2026 PRIMARY KEY USING INDEX "
        "pk_events_2026"
    )


def downgrade() -> None:
    op.drop_constraint("pk_events_2026", "events_2026")
