"""Lock every document, and its types too."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    # finds: avoid-locking-many-rows
    op.execute("SELECT * FROM jobs FOR UPDATE")


def downgrade() -> None:
    raise NotImplementedError("it is not what is looked at")
