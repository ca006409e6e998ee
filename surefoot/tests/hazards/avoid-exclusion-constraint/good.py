"""Create bookings, of which no two are at once."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    op.execute("CREATE TABLE bookings (at tstzrange, EXCLUDE USING gist (at WITH &&))")


def downgrade() -> None:
    op.drop_table("bookings")
