"""Keep what else is known of something new."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    # finds: avoid-json-column
    op.create_table(
        "extras",
        sa.Column("id", sa.BigInteger(), sa.Identity(), primary_key=True),
        sa.Column("more", sa.JSON()),
    )


def downgrade() -> None:
    op.drop_table("extras")
