"""Drop a schema with all that is in it."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "contract"


def upgrade() -> None:
    # finds: avoid-dropping-a-table
    op.execute("DROP SCHEMA archive CASCADE")


def downgrade() -> None:
    raise NotImplementedError("it is not what is looked at")
