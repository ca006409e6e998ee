"""Say when a job ended."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    op.add_column("jobs", sa.Column("ended", sa.DateTime(timezone=True)))


def downgrade() -> None:
    op.drop_column("jobs", "ended")
