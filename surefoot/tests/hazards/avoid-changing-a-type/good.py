"""Add a value to an enum."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    op.execute("ALTER TYPE mood ADD VALUE 'CALM' BEFORE 'GLAD'")


def downgrade() -> None:
    raise NotImplementedError("it is not what is looked at")
