"""Take some of the cache."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    op.execute("DELETE FROM cache WHERE key IN (SELECT key FROM cache LIMIT 10)")


def downgrade() -> None:
    raise NotImplementedError("the rows are not kept")
