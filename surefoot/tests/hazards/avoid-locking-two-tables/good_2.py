"""Number results."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
phase = "expand"


def upgrade() -> None:
    op.add_column("results", sa.Column("number", sa.Integer()))


def downgrade() -> None:
    op.drop_column("results", "number")
