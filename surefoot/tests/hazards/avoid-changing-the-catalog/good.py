"""Read the catalog, and keep its names."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    op.execute("SELECT count(*) FROM pg_attribute")
    op.execute("INSERT INTO cache VALUES ('a', 'DELETE FROM pg_class')")


def downgrade() -> None:
    raise NotImplementedError("it is not what is looked at")
