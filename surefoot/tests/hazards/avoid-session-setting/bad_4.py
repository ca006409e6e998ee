"""Wait for as long as it takes."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    # finds: avoid-session-setting
    op.execute("SET statement_timeout = 0")


def downgrade() -> None:
    raise NotImplementedError("it is not what is looked at")
