"""Replace a table by a view without one of its columns."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    # finds: avoid-renaming
    op.execute("ALTER TABLE cache RENAME TO old_cache")
    op.execute("CREATE VIEW cache AS SELECT key FROM old_cache")


def downgrade() -> None:
    raise NotImplementedError("it is not what is looked at")
