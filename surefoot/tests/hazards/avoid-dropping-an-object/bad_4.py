"""Drop a schema with its tables."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    # finds: avoid-dropping-an-object
    # finds: avoid-dropping-a-table
    op.execute("DROP SCHEMA archive CASCADE")


def downgrade() -> None:
    raise NotImplementedError("it is not what is looked at")
