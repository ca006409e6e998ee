"""Add two values to the cache."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    op.execute("INSERT INTO cache VALUES ('version', '2'), ('source', 'build')")


def downgrade() -> None:
    op.execute("DELETE FROM cache WHERE key IN ('version', 'source')")
