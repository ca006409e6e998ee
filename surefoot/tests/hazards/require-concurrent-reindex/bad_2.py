"""Build a table's indexes anew."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    # finds: require-concurrent-reindex
    op.execute("REINDEX TABLE results")


def downgrade() -> None:
    """They are the same indexes."""
