"""Number from the beginning."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    # finds: avoid-narrowing-a-sequence
    op.execute("ALTER SEQUENCE numbers RESTART WITH 1")


def downgrade() -> None:
    raise NotImplementedError("it is not what is looked at")
