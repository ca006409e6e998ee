"""Make a rank a big number."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    # finds: avoid-type-change
    op.alter_column("jobs", "rank", type_=sa.BigInteger())


def downgrade() -> None:
    op.alter_column("jobs", "rank", type_=sa.Integer())
