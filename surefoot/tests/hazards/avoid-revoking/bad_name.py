"""Give the name of a table to a view that nobody may read."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    op.execute("ALTER TABLE jobs RENAME TO tasks")
    # finds: avoid-revoking
    op.execute("CREATE VIEW jobs AS SELECT * FROM tasks")


def downgrade() -> None:
    raise NotImplementedError("it is not what is looked at")
