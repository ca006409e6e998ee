"""Give a new column a default for old rows only; it may be null."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    op.execute("ALTER TABLE jobs ADD COLUMN tries integer DEFAULT 0")
    op.execute("ALTER TABLE jobs ALTER COLUMN tries DROP DEFAULT")
    op.execute("ALTER TABLE jobs ALTER COLUMN size_bytes SET DEFAULT 1")


def downgrade() -> None:
    raise NotImplementedError("it is not what is looked at")
