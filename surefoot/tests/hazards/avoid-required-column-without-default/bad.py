"""Require a number of every job."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    # finds: avoid-required-column-without-default
    op.add_column("jobs", sa.Column("number", sa.Integer(), nullable=False))


def downgrade() -> None:
    op.drop_column("jobs", "number")
