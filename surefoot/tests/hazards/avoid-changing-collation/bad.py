"""Sort labels by their bytes."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    # finds: avoid-changing-collation
    op.execute('ALTER TABLE tags ALTER COLUMN label TYPE text COLLATE "C"')


def downgrade() -> None:
    raise NotImplementedError("it is not what is looked at")
