"""Lock every row by way of an index."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    # finds: avoid-locking-many-rows
    op.execute("SELECT id FROM jobs ORDER BY id FOR NO KEY UPDATE")


def downgrade() -> None:
    raise NotImplementedError("it is not what is looked at")
