"""Drop a partitioned table, a table with what refers to it, and a column, by their names."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "contract"


def upgrade() -> None:
    op.execute("DROP TABLE events")
    op.execute("ALTER TABLE tags DROP COLUMN label CASCADE")


def downgrade() -> None:
    raise NotImplementedError("it is not what is looked at")
