"""Drop the notes."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    # finds: avoid-dropping-a-column
    op.drop_column("jobs", "note")


def downgrade() -> None:
    op.add_column("jobs", sa.Column("note", sa.String(100)))
