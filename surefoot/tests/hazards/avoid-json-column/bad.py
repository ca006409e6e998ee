"""Keep what else is known of a job."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    # finds: avoid-json-column
    op.add_column("jobs", sa.Column("more", sa.JSON()))


def downgrade() -> None:
    op.drop_column("jobs", "more")
