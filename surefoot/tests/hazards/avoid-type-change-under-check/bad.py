"""Give a code more room."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    # finds: avoid-type-change-under-check
    op.alter_column("jobs", "code", type_=sa.String(40))


def downgrade() -> None:
    op.alter_column("jobs", "code", type_=sa.String(20))
