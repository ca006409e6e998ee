"""Vacuum tags earlier, and keep a queue for ten minutes."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    op.execute("ALTER TABLE tags SET (autovacuum_enabled = off)")
    op.execute("ALTER TABLE tags SET (autovacuum_enabled = on)")
    op.execute("ALTER TABLE tags SET (autovacuum_vacuum_scale_factor = 0.01)")
    op.execute("CREATE TABLE queue (at timestamptz) WITH (autovacuum_enabled = false)")


def downgrade() -> None:
    op.execute("DROP TABLE queue")
    op.execute("ALTER TABLE tags RESET (autovacuum_enabled, autovacuum_vacuum_scale_factor)")
