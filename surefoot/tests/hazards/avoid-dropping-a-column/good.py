"""Drop the notes, which nothing reads any more."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = "0000"
phase = "contract"


def upgrade() -> None:
    op.drop_column("jobs", "note")


def downgrade() -> None:
    op.add_column("jobs", sa.Column("note", sa.String(100)))
