"""Give every job a token."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    # finds: avoid-volatile-default
    op.add_column(
        "jobs", sa.Column("token", sa.Uuid(), server_default=sa.text("gen_random_uuid()"))
    )


def downgrade() -> None:
    op.drop_column("jobs", "token")
