"""Add a number, and give one to every job."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    op.add_column("jobs", sa.Column("number", sa.Integer()))
    # finds: avoid-data-change-beside-ddl
    # finds: avoid-unbatched-change
    # finds: avoid-work-under-access-exclusive
    op.execute("UPDATE jobs SET number = id")


def downgrade() -> None:
    op.drop_column("jobs", "number")
