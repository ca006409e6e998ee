"""Say handle for slug."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    # finds: avoid-renaming
    op.execute("ALTER DOMAIN slug RENAME TO handle")


def downgrade() -> None:
    op.execute("ALTER DOMAIN handle RENAME TO slug")
