"""Delete one row, and all rows that refer to it."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    # finds: avoid-unmeasured-change
    op.execute("DELETE FROM docs WHERE id = -1")


def downgrade() -> None:
    raise NotImplementedError("it is not what is looked at")
