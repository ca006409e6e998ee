"""Create a table for the events of 2027."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    op.execute("CREATE TABLE events_2027 (LIKE events INCLUDING ALL)")
    op.execute(
        "ALTER TABLE events_2027 ADD CONSTRAINT ck_events_2027 CHECK (at >= "
        "'2027-01-01+00' AND at < '2028-01-01+00')"
    )


def downgrade() -> None:
    op.drop_table("events_2027")
