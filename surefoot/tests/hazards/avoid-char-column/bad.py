"""Give a job the code of its country."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    # finds: avoid-char-column
    op.add_column("jobs", sa.Column("country", sa.CHAR(2)))


def downgrade() -> None:
    op.drop_column("jobs", "country")
