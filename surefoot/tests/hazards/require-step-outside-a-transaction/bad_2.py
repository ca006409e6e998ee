"""Make the jobs small."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    # finds: require-step-outside-a-transaction
    # finds: require-complete-trace
    op.execute("VACUUM (FULL) jobs")


def downgrade() -> None:
    """They stay as they are."""
