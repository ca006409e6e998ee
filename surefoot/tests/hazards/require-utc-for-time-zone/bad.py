"""Say where the clock stood when a job began."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    # finds: require-utc-for-time-zone
    op.alter_column("jobs", "began", type_=sa.DateTime(timezone=True))


def downgrade() -> None:
    op.alter_column("jobs", "began", type_=sa.DateTime())
