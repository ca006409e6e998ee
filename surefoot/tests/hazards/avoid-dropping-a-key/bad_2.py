"""Drop a primary key."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    # finds: avoid-dropping-a-key
    op.execute("ALTER TABLE cache DROP CONSTRAINT cache_pkey")


def downgrade() -> None:
    raise NotImplementedError("it is not what is looked at")
