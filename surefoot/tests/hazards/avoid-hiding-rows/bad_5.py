"""Show every document to everybody."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    # finds: avoid-hiding-rows
    op.execute("ALTER TABLE docs DISABLE ROW LEVEL SECURITY")


def downgrade() -> None:
    raise NotImplementedError("it is not what is looked at")
