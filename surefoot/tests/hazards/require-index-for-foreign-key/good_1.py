"""A result has a cached value."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    op.add_column("results", sa.Column("cache_key", sa.Text()))


def downgrade() -> None:
    op.drop_column("results", "cache_key")
