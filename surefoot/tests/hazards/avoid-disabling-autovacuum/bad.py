"""Load tags without autovacuum."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "contract"


def upgrade() -> None:
    # finds: avoid-disabling-autovacuum
    op.execute("ALTER TABLE tags SET (autovacuum_enabled = off)")


def downgrade() -> None:
    op.execute("ALTER TABLE tags RESET (autovacuum_enabled)")
