"""Let releases number documents."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    # finds: avoid-dropping-a-default
    op.execute("ALTER TABLE docs ALTER COLUMN id DROP IDENTITY")


def downgrade() -> None:
    raise NotImplementedError("it is not what is looked at")
