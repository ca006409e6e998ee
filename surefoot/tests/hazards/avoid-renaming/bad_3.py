"""Put the cache into the archive."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    # finds: avoid-renaming
    op.execute("ALTER TABLE cache SET SCHEMA archive")


def downgrade() -> None:
    op.execute("ALTER TABLE archive.cache SET SCHEMA public")
