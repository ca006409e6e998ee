"""Keep a price more exactly."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    # finds: avoid-type-change
    op.alter_column("jobs", "price", type_=sa.Numeric(12, 4))


def downgrade() -> None:
    op.alter_column("jobs", "price", type_=sa.Numeric(10, 2))
