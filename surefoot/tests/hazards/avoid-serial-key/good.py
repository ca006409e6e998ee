"""Create labels, each with a number."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    op.execute("CREATE TABLE labels (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY)")


def downgrade() -> None:
    op.drop_table("labels")
