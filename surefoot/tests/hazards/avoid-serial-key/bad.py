"""Create labels, each with a number."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    # finds: avoid-serial-key
    op.execute("CREATE TABLE labels (id bigserial PRIMARY KEY, name text)")


def downgrade() -> None:
    op.drop_table("labels")
