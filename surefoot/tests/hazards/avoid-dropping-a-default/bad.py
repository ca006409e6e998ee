"""Let releases say how large a job is."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    # finds: avoid-dropping-a-default
    op.execute("ALTER TABLE jobs ALTER COLUMN size_bytes DROP DEFAULT")


def downgrade() -> None:
    raise NotImplementedError("it is not what is looked at")
