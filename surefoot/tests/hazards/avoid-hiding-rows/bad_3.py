"""Drop the policy of documents."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    # finds: avoid-hiding-rows
    op.execute("DROP POLICY readers ON docs")


def downgrade() -> None:
    raise NotImplementedError("it is not what is looked at")
