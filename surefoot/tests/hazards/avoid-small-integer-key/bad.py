"""Create owners."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    # finds: avoid-small-integer-key
    op.create_table(
        "owners",
        sa.Column("id", sa.Integer(), sa.Identity(), primary_key=True),
    )


def downgrade() -> None:
    op.drop_table("owners")
