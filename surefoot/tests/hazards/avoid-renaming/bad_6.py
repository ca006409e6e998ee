"""Give a key a better name."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    # finds: avoid-renaming
    op.execute("ALTER TABLE cache RENAME CONSTRAINT cache_pkey TO pk_cache")


def downgrade() -> None:
    raise NotImplementedError("it is not what is looked at")
