"""Say stamp for touch."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    # finds: avoid-renaming
    op.execute("ALTER FUNCTION touch() RENAME TO stamp")


def downgrade() -> None:
    op.execute("ALTER FUNCTION stamp() RENAME TO touch")
