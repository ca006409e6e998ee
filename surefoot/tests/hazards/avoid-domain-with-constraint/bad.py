"""Create a type for labels."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    # finds: avoid-domain-with-constraint
    op.execute("CREATE DOMAIN label AS text CHECK (VALUE <> '')")


def downgrade() -> None:
    op.execute("DROP DOMAIN label")
