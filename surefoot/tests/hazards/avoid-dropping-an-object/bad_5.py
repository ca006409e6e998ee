"""Drop a sequence, and the default that uses it."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    # finds: avoid-dropping-an-object
    # finds: avoid-dropping-a-default
    op.execute("DROP SEQUENCE numbers CASCADE")


def downgrade() -> None:
    raise NotImplementedError("it is not what is looked at")
