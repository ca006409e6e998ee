"""Number the tags that come."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    op.add_column("tags", sa.Column("number", sa.BigInteger()))
    op.execute("CREATE SEQUENCE tags_number_seq OWNED BY tags.number")
    op.alter_column("tags", "number", server_default=sa.text("nextval('tags_number_seq')"))


def downgrade() -> None:
    op.drop_column("tags", "number")
