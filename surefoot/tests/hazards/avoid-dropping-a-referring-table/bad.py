"""Drop the results."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = "0000"
phase = "contract"


def upgrade() -> None:
    # finds: avoid-dropping-a-referring-table
    op.drop_table("results")


def downgrade() -> None:
    op.create_table("results", sa.Column("id", sa.BigInteger(), primary_key=True))
