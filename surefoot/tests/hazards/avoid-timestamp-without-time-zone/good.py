"""Say when a job ended."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    op.add_column("jobs", sa.Column("ended", sa.DateTime(timezone=True)))
    begun = sa.Column("begun", postgresql.TIMESTAMP(timezone=True, precision=0))
    op.add_column("jobs", begun)


def downgrade() -> None:
    op.drop_column("jobs", "begun")
    op.drop_column("jobs", "ended")
