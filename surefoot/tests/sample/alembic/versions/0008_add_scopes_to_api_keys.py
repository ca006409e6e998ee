"""Add scopes to api_keys."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
phase = "expand"


def upgrade() -> None:
    op.add_column(
        "api_keys",
        sa.Column(
            "scopes", sa.ARRAY(sa.Text), server_default=sa.text("'{}'::text[]"), nullable=False
        ),
    )


def downgrade() -> None:
    op.drop_column("api_keys", "scopes")
