"""Drop what is not there."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    op.execute("ALTER TABLE jobs ALTER COLUMN note DROP NOT NULL")


def downgrade() -> None:
    raise NotImplementedError("it is not what is looked at")
