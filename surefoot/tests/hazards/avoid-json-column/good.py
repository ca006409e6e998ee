"""Keep what else is known of a job, comparably."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    op.add_column("jobs", sa.Column("more", postgresql.JSONB()))


def downgrade() -> None:
    op.drop_column("jobs", "more")
