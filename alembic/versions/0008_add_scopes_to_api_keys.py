"""Add scopes to api_keys.

A key may look at more than the API answers where its scopes say so. Keys that are there get none
and go on as they are. Texts and no enum: a further scope is then no migration.

Locks: ACCESS EXCLUSIVE on api_keys, catalogue change only.
Undo: drop api_keys.scopes and what is in it.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0008"
down_revision = "0007"
phase = "expand"


def upgrade() -> None:
    op.add_column(
        "api_keys",
        sa.Column(
            "scopes",
            postgresql.ARRAY(sa.Text()),
            server_default=sa.text("'{}'::text[]"),
            nullable=False,
            comment="What the key may do beside calling the API",
        ),
    )


def downgrade() -> None:
    op.drop_column("api_keys", "scopes")
