"""Number jobs and results."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    op.add_column("jobs", sa.Column("number", sa.Integer()))
    # finds: avoid-locking-two-tables
    op.add_column("results", sa.Column("number", sa.Integer()))


def downgrade() -> None:
    op.drop_column("results", "number")
    op.drop_column("jobs", "number")
