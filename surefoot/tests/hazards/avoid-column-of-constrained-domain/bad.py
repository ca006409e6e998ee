"""Count tries."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    # finds: avoid-column-of-constrained-domain
    op.execute("ALTER TABLE jobs ADD COLUMN tries positive")


def downgrade() -> None:
    raise NotImplementedError("it is not what is looked at")
