"""No two spans of one place at once."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"
since = 18


def upgrade() -> None:
    op.execute("ALTER TABLE events_2026 ADD COLUMN place int4range, ADD COLUMN span tstzrange")
    # finds: avoid-exclusion-constraint
    # finds: avoid-work-under-access-exclusive
    op.execute("ALTER TABLE events_2026 ADD UNIQUE (place, span WITHOUT OVERLAPS)")


def downgrade() -> None:
    op.drop_column("events_2026", "span")
    op.drop_column("events_2026", "place")
