"""Create owners, and their key after them."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    op.execute("CREATE TABLE owners (id smallint NOT NULL, name text)")
    # finds: avoid-small-integer-key
    op.execute("ALTER TABLE owners ADD PRIMARY KEY (id)")


def downgrade() -> None:
    op.drop_table("owners")
