"""Hide a table that may have been shown to everybody."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    # finds: avoid-revoking
    op.execute("REVOKE SELECT ON cache FROM PUBLIC")


def downgrade() -> None:
    raise NotImplementedError("it is not what is looked at")
