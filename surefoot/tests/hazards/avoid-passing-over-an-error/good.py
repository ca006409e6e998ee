"""Add a number."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    with op.get_bind().begin_nested():
        op.add_column("jobs", sa.Column("number", sa.Integer()))


def downgrade() -> None:
    op.drop_column("jobs", "number")
