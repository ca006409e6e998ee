"""Recreate the sequence."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    op.execute("CREATE SEQUENCE apart")
    # finds: avoid-dropping-a-default
    op.execute("DROP SEQUENCE numbers CASCADE")
    # finds: avoid-narrowing-a-sequence
    op.execute("CREATE SEQUENCE numbers")


def downgrade() -> None:
    raise NotImplementedError("it is not what is looked at")
