"""Drop a function, and the trigger that calls it."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    # finds: avoid-dropping-an-object
    op.execute("DROP FUNCTION touch() CASCADE")


def downgrade() -> None:
    raise NotImplementedError("it is not what is looked at")
