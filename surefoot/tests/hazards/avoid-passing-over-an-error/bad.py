"""Add a number, if it can be."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    try:
        with op.get_bind().begin_nested():
            # finds: avoid-passing-over-an-error
            op.execute("ALTER TABLE by_hand ADD COLUMN number integer")
    except sa.exc.ProgrammingError:
        op.add_column("jobs", sa.Column("number", sa.Integer()))


def downgrade() -> None:
    op.drop_column("jobs", "number")
