"""No two events at once."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    # finds: avoid-exclusion-constraint
    op.execute(
        "ALTER TABLE events_2026 ADD CONSTRAINT ex_events_at EXCLUDE USING btree (at WITH =)"
    )


def downgrade() -> None:
    op.drop_constraint("ex_events_at", "events_2026")
