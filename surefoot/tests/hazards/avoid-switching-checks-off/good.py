"""Check foreign keys at the end."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    op.execute("SET CONSTRAINTS ALL DEFERRED")
    op.execute("INSERT INTO cache VALUES ('session_replication_role', NULL)")


def downgrade() -> None:
    op.execute("DELETE FROM cache WHERE key = 'session_replication_role'")
