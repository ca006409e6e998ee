"""Shorten notes."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    # finds: avoid-type-change
    op.alter_column("jobs", "note", type_=sa.String(50))


def downgrade() -> None:
    op.alter_column("jobs", "note", type_=sa.String(100))
