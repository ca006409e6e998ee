"""New events of 2026 are of 2026."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    op.create_check_constraint(
        op.f("ck_events_2026"),
        "events_2026",
        "at >= '2026-01-01+00' AND at < '2027-01-01+00'",
        postgresql_not_valid=True,
    )


def downgrade() -> None:
    op.drop_constraint("ck_events_2026", "events_2026")
