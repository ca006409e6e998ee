"""Number jobs, and allow what nobody knows."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    # finds: avoid-unused-suppression
    # allow avoid-hazards: there is none
    op.add_column("jobs", sa.Column("number", sa.Integer()))


def downgrade() -> None:
    op.drop_column("jobs", "number")
