"""Drop the cache."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    # finds: avoid-dropping-a-table
    op.drop_table("cache")


def downgrade() -> None:
    op.create_table("cache", sa.Column("key", sa.Text(), primary_key=True))
