"""Give a new column a default for old rows only."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    op.execute("ALTER TABLE jobs ADD COLUMN tries integer NOT NULL DEFAULT 0")
    # finds: avoid-dropping-a-default
    op.execute("ALTER TABLE jobs ALTER COLUMN tries DROP DEFAULT")


def downgrade() -> None:
    raise NotImplementedError("it is not what is looked at")
