"""Give every new job a token, and say when a job was seen: now() is one moment."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    op.add_column("jobs", sa.Column("token", sa.Uuid()))
    op.alter_column("jobs", "token", server_default=sa.text("gen_random_uuid()"))
    op.add_column(
        "jobs", sa.Column("seen", sa.DateTime(timezone=True), server_default=sa.text("now()"))
    )


def downgrade() -> None:
    op.drop_column("jobs", "seen")
    op.drop_column("jobs", "token")
