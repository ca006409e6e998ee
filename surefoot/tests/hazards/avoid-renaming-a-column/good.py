"""Add a remark, which the releases write beside the note from now on."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    op.add_column("jobs", sa.Column("remark", sa.Text()))


def downgrade() -> None:
    op.drop_column("jobs", "remark")
