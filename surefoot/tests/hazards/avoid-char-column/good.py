"""Give a job the code of its country."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    op.add_column("jobs", sa.Column("country", sa.Text()))


def downgrade() -> None:
    op.drop_column("jobs", "country")
