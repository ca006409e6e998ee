"""Put a copy in the place of a table that others write."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "contract"


def upgrade() -> None:
    op.execute("CREATE TABLE cache_new AS SELECT * FROM cache")
    # finds: avoid-renaming
    op.execute("DROP TABLE cache")
    op.execute("ALTER TABLE cache_new RENAME TO cache")


def downgrade() -> None:
    raise NotImplementedError("it is not what is looked at")
