"""Say when a job ended."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    # finds: avoid-timestamp-without-time-zone
    op.add_column("jobs", sa.Column("ended", sa.DateTime()))


def downgrade() -> None:
    op.drop_column("jobs", "ended")
