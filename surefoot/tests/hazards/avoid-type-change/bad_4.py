"""Bound the length of a reference."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    # finds: avoid-type-change
    # finds: avoid-length-limit
    op.alter_column("jobs", "ref", type_=sa.String(100))


def downgrade() -> None:
    op.alter_column("jobs", "ref", type_=sa.Text())
