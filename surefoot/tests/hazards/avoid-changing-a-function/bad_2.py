"""Let a function return null for null."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    # finds: avoid-changing-a-function
    op.execute("ALTER FUNCTION area(integer, integer) STRICT")


def downgrade() -> None:
    raise NotImplementedError("it is not what is looked at")
