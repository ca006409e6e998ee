"""Widen a note, a price and a moment that is in UTC: only the catalog changes."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    op.alter_column("jobs", "note", type_=sa.Text())
    op.alter_column("jobs", "price", type_=sa.Numeric(12, 2))
    op.execute("SET LOCAL timezone = 'UTC'")
    op.alter_column("jobs", "began", type_=sa.DateTime(timezone=True))


def downgrade() -> None:
    op.alter_column("jobs", "began", type_=sa.DateTime())
    op.alter_column("jobs", "price", type_=sa.Numeric(10, 2))
    op.alter_column("jobs", "note", type_=sa.String(100))
