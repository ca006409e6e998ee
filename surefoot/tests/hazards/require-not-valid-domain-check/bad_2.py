"""Every slug is known."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    # finds: require-not-valid-domain-check
    op.execute("ALTER DOMAIN slug SET NOT NULL")


def downgrade() -> None:
    op.execute("ALTER DOMAIN slug DROP NOT NULL")
