"""Empty the cache."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    # finds: avoid-truncate
    op.execute("TRUNCATE cache")


def downgrade() -> None:
    raise NotImplementedError("the rows are not kept")
