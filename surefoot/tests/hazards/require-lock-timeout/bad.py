"""Wait for as long as it takes."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    # finds: require-lock-timeout
    op.execute("SET LOCAL lock_timeout = 0")
    op.add_column("jobs", sa.Column("number", sa.Integer()))


def downgrade() -> None:
    op.drop_column("jobs", "number")
