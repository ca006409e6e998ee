"""Create a type for labels."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    op.execute("CREATE DOMAIN label AS text")


def downgrade() -> None:
    op.execute("DROP DOMAIN label")
